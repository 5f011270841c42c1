"""What tool/check-symbols must find in object files, compiled here on the fly, and what it must let pass."""

import json
import subprocess

import violation


class Objects(violation.House):
    """Compiles sources into build/ and writes its compile_commands.json, as meson would."""

    def setUp(self):
        super().setUp()
        self.commands = []

    def compile(self, source, text, *flags):
        self.write(source, text)
        target = "build/" + source.replace("/", "_") + ".o"
        self.write(target)
        subprocess.run(["gcc", "-O1", "-fPIE", "-w", *flags, "-c", self.path(source), "-o", self.path(target)],
                       check=True)
        self.commands.append({"directory": self.path("build"), "file": "../" + source,
                              "output": target.removeprefix("build/")})
        self.write("build/compile_commands.json", json.dumps(self.commands))

    def assert_imports(self, statement, name, reach):
        """A function in base/ with this statement is found to import `name`."""
        self.commands = []
        self.compile("base/thing.c", "#include <stddef.h>\nvoid *thing(void *a, long b) { " + statement + "; }\n")
        self.assert_finds("check-symbols", f"base/thing.c: imports {name} ({reach})", "build")


class CallsThatAreFound(Objects):
    def test_files(self):
        self.assert_imports("return (void *)(long)open(a, 0)", "open", "file")
        self.assert_imports("openat(0, a, 0)", "openat", "file")
        self.assert_imports("read(0, a, b)", "read", "file")
        self.assert_imports("pwrite(0, a, b, 0)", "pwrite", "file")
        self.assert_imports("fdatasync(0)", "fdatasync", "file")
        self.assert_imports("rename(a, a)", "rename", "file")
        self.assert_imports("fopen(a, a)", "fopen", "file")
        self.assert_imports("fwrite(a, 1, b, a)", "fwrite", "file")

    def test_standard_output(self):
        self.assert_imports('printf("%p", a)', "printf", "file")
        self.assert_imports('puts(a)', "puts", "file")
        self.assert_imports("extern void *stderr; return stderr", "stderr", "file")

    def test_sockets(self):
        self.assert_imports("socket(1, 1, 1)", "socket", "socket")
        self.assert_imports("connect(1, a, 1)", "connect", "socket")
        self.assert_imports("recvmsg(1, a, 1)", "recvmsg", "socket")
        self.assert_imports("epoll_wait(1, a, 1, 1)", "epoll_wait", "socket")
        self.assert_imports("getaddrinfo(a, a, a, a)", "getaddrinfo", "socket")

    def test_clocks(self):
        self.assert_imports("clock_gettime(1, a)", "clock_gettime", "clock")
        self.assert_imports("gettimeofday(a, 0)", "gettimeofday", "clock")
        self.assert_imports("time(a)", "time", "clock")
        self.assert_imports("nanosleep(a, a)", "nanosleep", "clock")
        self.assert_imports("usleep(1)", "usleep", "clock")

    def test_randomness(self):
        self.assert_imports("getrandom(a, b, 0)", "getrandom", "random")
        self.assert_imports("return (void *)(long)rand()", "rand", "random")
        self.assert_imports("return (void *)(long)random()", "random", "random")
        self.assert_imports("drand48()", "drand48", "random")
        self.assert_imports("RAND_bytes(a, 1)", "RAND_bytes", "random")

    def test_threads(self):
        self.assert_imports("pthread_create(a, a, a, a)", "pthread_create", "thread")
        self.assert_imports("pthread_mutex_lock(a)", "pthread_mutex_lock", "thread")
        self.assert_imports("thrd_yield()", "thrd_yield", "thread")

    def test_processes(self):
        self.assert_imports("fork()", "fork", "process")
        self.assert_imports("execve(a, a, a)", "execve", "process")
        self.assert_imports("abort()", "abort", "process")
        self.assert_imports("getenv(a)", "getenv", "process")
        self.assert_imports("sigaction(1, a, a)", "sigaction", "process")
        self.assert_imports("syscall(1)", "syscall", "process")

    def test_memory_past_the_scopes(self):
        self.assert_imports("return malloc(b)", "malloc", "memory")
        self.assert_imports("return strdup(a)", "strdup", "memory")
        self.assert_imports("mmap(a, b, 0, 0, 0, 0)", "mmap", "memory")

    def test_the_ring_and_the_sockets_of_openssl(self):
        self.assert_imports("io_uring_submit(a)", "io_uring_submit", "disk and network")
        self.assert_imports("SSL_set_fd(a, 1)", "SSL_set_fd", "socket")
        self.assert_imports("BIO_new_file(a, a)", "BIO_new_file", "file")

    def test_a_function_of_the_c_library_nobody_thought_of(self):
        self.assert_imports("hcreate(1)", "hcreate", "not known to be harmless")

    def test_an_address_taken_counts_as_a_call(self):
        self.assert_imports("extern long write(); return write", "write", "file")

    def test_a_weak_reference_counts_as_a_call(self):
        self.assert_imports("extern long fsync() __attribute__((weak)); return fsync", "fsync", "file")

    def test_calls_in_sanitized_objects(self):
        self.compile("base/thing.c", "void *p; int thing(int *a) { return read(a[0], p, a[1]); }",
                     "-fsanitize=address,undefined")
        self.assert_finds("check-symbols", "base/thing.c: imports read (file)", "build")


class CallsThatPass(Objects):
    def test_what_touches_only_its_arguments(self):
        self.compile("base/thing.c", """
            #include <string.h>
            #include <stdio.h>
            #include <stdlib.h>
            int thing(char *a, char *b, size_t n) {
                memmove(a, b, n);
                qsort(a, n, 1, (int (*)(const void *, const void *))strcmp);
                return snprintf(a, n, "%s", b) + (int)strtoul(b, &a, 10) + (int)strlen(b);
            }""")
        self.assert_clean("check-symbols", "build")

    def test_our_own_functions_of_the_same_manner(self):
        self.compile("engine/engine.c", "void disk_read(void); void world_random(void); void thing(void) "
                     "{ disk_read(); world_random(); }")
        self.assert_clean("check-symbols", "build")

    def test_the_folders_that_are_granted_the_system(self):
        text = "int read(); int pthread_create(); int thing(void) { return read() + pthread_create(); }"
        self.compile("base/linux/thing.c", text)
        self.compile("node/thing.c", text)
        self.compile("test/unit/thing.c", text)
        self.assert_clean("check-symbols", "build")

    def test_what_sanitizers_call(self):
        self.compile("base/thing.c", "int thing(int *a, int i) { int b[9] = {i}; return a[i] + b[i]; }",
                     "-fsanitize=address,undefined")
        self.compile("engine/thing.c", "int thing2(int *a, int i) { return __atomic_add_fetch(a, i, 5); }",
                     "-fsanitize=thread")
        self.assert_clean("check-symbols", "build")

    def test_an_exception_with_a_reason(self):
        self.write("tool/symbols.txt", "# why\nbase/thing.c malloc fr* : scopes are made of it\n"
                   "base/tls/ RAND_* : listed\n")
        self.compile("base/thing.c", "void *malloc(); void free(); void *thing(void) { free(); return malloc(1); }")
        self.compile("base/tls/thing.c", "int RAND_bytes(); int thing(void) { return RAND_bytes(); }")
        self.assert_clean("check-symbols", "build")

    def test_an_exception_is_for_its_file_alone(self):
        self.write("tool/symbols.txt", "base/other.c malloc : why not\n")
        self.assert_imports("return malloc(b)", "malloc", "memory")

    def test_an_exception_without_a_reason_is_found(self):
        self.write("tool/symbols.txt", "base/thing.c write\n")
        self.compile("base/thing.c", "int thing(void) { return 1; }")
        self.assert_finds("check-symbols", 'tool/symbols.txt:1: wants "path symbol... : reason"', "build")


class Globals(Objects):
    def assert_kept(self, declaration, name):
        self.commands = []
        self.compile("engine/thing.c", declaration)
        self.assert_finds("check-symbols", f"engine/thing.c: keeps a mutable global, {name}", "build")

    def test_mutable_globals_are_found(self):
        self.assert_kept("int counter;", "counter")
        self.assert_kept("int counter = 1;", "counter")
        self.assert_kept("static int counter; int thing(void) { return counter++; }", "counter")
        self.assert_kept("_Thread_local int counter;", "counter")
        self.assert_kept("const char *const *pointer = 0;", "pointer")

    def test_a_mutable_static_inside_a_function_is_found(self):
        self.compile("engine/thing.c", "int thing(void) { static int calls; return calls++; }")
        status, output = self.run_checker("check-symbols", "build")
        self.assertEqual(status, 1)
        self.assertRegex(output, r"engine/thing.c: keeps a mutable global, calls\.\d+\n")

    def test_constants_pass_even_those_that_hold_addresses(self):
        self.compile("engine/thing.c", "static const char *const names[] = {\"a\", \"b\"}; const int one = 1;"
                     "const char *thing(int i) { return names[i]; }")
        self.assert_clean("check-symbols", "build")

    def test_globals_pass_in_node_and_tests(self):
        self.compile("node/thing.c", "int counter;")
        self.compile("test/unit/thing.c", "int counter;")
        self.assert_clean("check-symbols", "build")


class BuildsThatCannotBeChecked(Objects):
    def test_an_object_that_was_not_built_is_found(self):
        self.write("base/thing.c")
        self.write("build/compile_commands.json", json.dumps(
            [{"directory": self.path("build"), "file": "../base/thing.c", "output": "thing.o"}]))
        self.assert_finds("check-symbols", "base/thing.c: is not compiled yet; build first", "build")

    def test_a_source_in_a_folder_without_a_line_is_found(self):
        self.compile("attic/thing.c", "int thing(void) { return 1; }")
        self.assert_finds("check-symbols", "attic/thing.c: its folder has no line in doc/layers.txt", "build")


if __name__ == "__main__":
    violation.main()
