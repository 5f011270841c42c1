"""What the smaller checkers must find: headers that lean on others, format, words."""

import json

import violation


class Headers(violation.House):
    def setUp(self):
        super().setUp()
        self.write("build/compile_commands.json", json.dumps([
            {"directory": self.path("build"), "file": "../base/thing.c", "output": "thing.o",
             "command": "gcc -I.. -std=gnu2x -Wall -Werror -MD -MQ thing.o -MF thing.o.d -o thing.o -c ../base/thing.c"}
        ]))

    def header(self, body, guard="SYNOD_BASE_THING_H"):
        self.write("base/thing.h", f"#ifndef {guard}\n#define {guard}\n{body}\n#endif\n")

    def first_line(self):
        status, output = self.run_checker("check-headers", "build")
        self.assertEqual(status, 1)
        return output.splitlines()[0]

    def test_a_header_that_stands_alone_passes(self):
        self.header("#include <stddef.h>\nstatic inline size_t thing(void) { return 1; }")
        self.assert_clean("check-headers", "build")

    def test_a_header_that_leans_on_another_is_found(self):
        self.header("size_t thing(void);")
        self.assertEqual(self.first_line(), "base/thing.h:1: does not compile alone with gcc")

    def test_a_header_that_cannot_be_included_twice_is_found(self):
        self.write("base/thing.h", "struct thing { int a; };\n#if 0\n#ifndef SYNOD_BASE_THING_H\n"
                   "#define SYNOD_BASE_THING_H\n#endif\n#endif\n")
        self.assertEqual(self.first_line(), "base/thing.h:1: does not compile alone with gcc")

    def test_a_guard_of_another_name_is_found(self):
        self.header("struct thing;", "THING_H")
        self.assert_finds("check-headers", "base/thing.h:1: is not guarded by SYNOD_BASE_THING_H", "build")

    def test_flags_of_the_project_are_used(self):
        self.header("static inline int thing(void) { int unused; return 1; }")
        self.assertEqual(self.first_line(), "base/thing.h:1: does not compile alone with gcc")


class Format(violation.House):
    def setUp(self):
        super().setUp()
        self.write(".clang-format", "BasedOnStyle: LLVM\nIndentWidth: 4\n")

    def test_a_formatted_file_passes(self):
        self.write("base/thing.c", "int thing(void) { return 1; }\n")
        self.assert_clean("check-format")

    def test_a_file_that_is_not_formatted_is_found_with_its_first_line(self):
        self.write("base/thing.c", "int thing(void) { return 1; }\nint  other;\nint   third;\n")
        self.assert_finds("check-format", "base/thing.c:2: is not formatted; run make format")

    def test_fix_formats_it(self):
        self.write("base/thing.c", "int  thing;\n")
        self.assertEqual(self.run_checker("check-format", "--fix")[0], 0)
        self.assert_clean("check-format")


class Words(violation.House):
    def test_a_clean_house_passes(self):
        self.write("base/thing.c", "/* Moves in steps. */\nstruct thing *thing_open(void);\n")
        self.assert_clean("check-words")

    def test_promises_are_found(self):
        for word in ("TO" + "DO", "FIX" + "ME", "X" + "XX", "HA" + "CK"):
            self.write("base/thing.c", f"/* {word} later */\n")
            self.assert_finds("check-words", f"base/thing.c:1: {word}: do it now, or write an issue")

    def test_a_sqlstate_is_no_promise(self):
        self.write("base/thing.c", "/* " + "X" + "XX01 */\n")
        self.assert_clean("check-words")

    def test_a_path_of_one_machine_is_found(self):
        self.write("tool/thing", "#!/bin/sh\ncd /ho" + "me/somebody\n")
        self.assert_finds("check-words", "tool/thing:2: a path of one machine")

    def test_a_typedef_is_found(self):
        self.write("base/thing.h", "type" + "def struct thing thing;\n")
        self.assert_finds("check-words", "base/thing.h:1: a typedef: write struct, enum or the function's type")

    def test_a_name_that_ends_in_t_is_found(self):
        self.write("base/thing.h", "struct thing" + "_t;\n")
        self.assert_finds("check-words", "base/thing.h:1: a name that ends in _t")

    def test_a_file_named_after_nothing_is_found(self):
        self.write("base/string_util.c", "\n")
        self.assert_finds("check-words", 'base/string_util.c:1: "util" names nothing: say what the file is about')


if __name__ == "__main__":
    violation.main()
