"""What tool/check-layers must find, each broken on purpose, and what it must let pass."""

import violation


class IncludesThatAreAllowed(violation.House):
    def test_a_clean_house_passes_in_silence(self):
        self.write("base/scope.h", "#include <stddef.h>\n")
        self.write("base/list.h", '#include "base/scope.h"\n')
        self.write("base/linux/ring.c", '#include "base/list.h"\n#include <liburing.h>\n#include <unistd.h>\n')
        self.write("base/tls/tls.c", "#include <openssl/ssl.h>\n")
        self.write("engine/store.h", '#include "base/list.h"\n')
        self.write("engine/engine.h", '#include "engine/private.h"\n')
        self.write("engine/private.h")
        self.write("engine/row/row.c", '#include "engine/store.h"\n')
        self.assert_clean("check-layers")

    def test_a_test_sees_inside_the_folders_behind_the_stars(self):
        self.write("engine/private.h")
        self.write("test/unit/test_engine.c", '#include "engine/private.h"\n#include <check.h>\n#include <time.h>\n')
        self.assert_clean("check-layers")

    def test_build_directories_are_not_looked_at(self):
        self.write("build-test/anything.c", "#include <unistd.h>\n")
        self.assert_clean("check-layers")


class IncludesThatAreNot(violation.House):
    def test_an_upward_include_is_found(self):
        self.write("engine/store.h")
        self.write("base/world.c", '\n#include "engine/store.h"\n')
        self.assert_finds("check-layers", 'base/world.c:2: base may not include engine: "engine/store.h"')

    def test_an_include_of_a_sibling_is_found(self):
        self.write("engine/row/row.h")
        self.write("engine/column/column.c", '#include "engine/row/row.h"\n')
        self.assert_finds("check-layers",
                          'engine/column/column.c:1: engine/column may not include engine/row: "engine/row/row.h"')

    def test_an_include_past_the_door_is_found(self):
        self.write("engine/private.h")
        self.write("node/main.c", '#include "engine/private.h"\n')
        self.assert_finds("check-layers", 'node/main.c:1: "engine/private.h" is no door of engine')

    def test_another_door_than_the_one_granted_is_found(self):
        self.write("engine/engine.h")
        self.write("engine/row/row.c", '#include "engine/engine.h"\n')
        self.assert_finds("check-layers", 'engine/row/row.c:1: engine/row may not include engine: "engine/engine.h"')

    def test_an_include_not_written_from_the_root_is_found(self):
        self.write("base/scope.h")
        self.write("base/scope.c", '#include "scope.h"\n')
        self.assert_finds("check-layers",
                          'base/scope.c:1: there is no "scope.h": write the path from the root of the house')

    def test_an_include_made_by_a_macro_is_found(self):
        self.write("base/scope.c", "#  include HEADER\n")
        self.assert_finds("check-layers", "base/scope.c:1: an include nobody can check: HEADER")

    def test_a_folder_without_a_line_is_found(self):
        self.write("attic/box.c")
        self.assert_finds("check-layers", "attic/box.c:1: the folder attic has no line in doc/layers.txt")


class SystemHeaders(violation.House):
    def assert_refused(self, header):
        self.write("base/world.c", f"#include <{header}>\n")
        self.assert_finds("check-layers", f"base/world.c:1: base includes a system header: <{header}>; "
                          "go through base/world.h")

    def test_files_are_refused(self):
        self.assert_refused("unistd.h")
        self.assert_refused("fcntl.h")

    def test_sockets_are_refused(self):
        self.assert_refused("sys/socket.h")
        self.assert_refused("netinet/in.h")
        self.assert_refused("poll.h")

    def test_clocks_and_signals_are_refused(self):
        self.assert_refused("time.h")
        self.assert_refused("sys/time.h")
        self.assert_refused("signal.h")

    def test_threads_are_refused(self):
        self.assert_refused("pthread.h")
        self.assert_refused("threads.h")

    def test_a_library_that_is_not_granted_is_refused(self):
        self.write("base/world.c", "#include <openssl/rand.h>\n")
        self.assert_finds("check-layers", "base/world.c:1: base includes <openssl/rand.h>, "
                          "which its line in doc/layers.txt does not grant")

    def test_the_ring_is_for_base_linux_alone(self):
        self.write("node/main.c", "#include <liburing.h>\n")
        self.assert_finds("check-layers", "node/main.c:1: node includes <liburing.h>, "
                          "which its line in doc/layers.txt does not grant")

    def test_setjmp_is_refused_even_beside_the_system(self):
        self.write("base/linux/jump.c", "#include <setjmp.h>\n")
        self.assert_finds("check-layers",
                          "base/linux/jump.c:1: we have no setjmp of our own (doc/style.md): <setjmp.h>")


class TheFileItself(violation.House):
    def test_a_circle_cannot_be_written_down(self):
        self.write("doc/layers.txt", "vsync | | engine\nengine | | vsync\n")
        self.assert_finds("check-layers", "doc/layers.txt:1: vsync wants engine, which is not listed above it")

    def test_a_folder_cannot_name_itself(self):
        self.write("doc/layers.txt", "vsync | | vsync\n")
        self.assert_finds("check-layers", "doc/layers.txt:1: vsync wants vsync, which is not listed above it")

    def test_a_second_line_for_a_folder_is_found(self):
        self.write("doc/layers.txt", "base | |\nbase | * |\n")
        self.assert_finds("check-layers", "doc/layers.txt:2: base has a line already, 1")

    def test_a_line_without_three_columns_is_found(self):
        self.write("doc/layers.txt", "base: everything\n")
        self.assert_finds("check-layers",
                          "doc/layers.txt:1: wants three columns (folder | doors | may include), has 1")

    def test_a_grant_of_what_is_no_door_is_found(self):
        self.write("doc/layers.txt", "engine | |\nnode | | engine/secret.h\n")
        self.assert_finds("check-layers",
                          "doc/layers.txt:2: node wants engine/secret.h, which is no door of engine")

    def test_a_continued_line_belongs_to_the_one_before(self):
        self.write("doc/layers.txt", "base | * |\nengine | |\nnode | | base\n  engine\n")
        self.write("engine/engine.h")
        self.write("node/main.c", '#include "engine/engine.h"\n')
        self.assert_clean("check-layers")


if __name__ == "__main__":
    violation.main()
