"""Python tests say how each case went: in the usual text, and in TAP where tool/record looks for it."""

import os
import unittest


class TapResult(unittest.TextTestResult):
    """Writes each case as a line of TAP into the file that CK_TAP_LOG_FILE_NAME names, if any."""

    def __init__(self, *arguments, **more):
        super().__init__(*arguments, **more)
        self.tap = os.environ.get("CK_TAP_LOG_FILE_NAME")

    def write(self, word, test, comment=""):
        if self.tap:
            with open(self.tap, "a", encoding="utf-8") as file:
                file.write(f"{word} {self.testsRun} - {test.id()}{comment}\n")

    def addSuccess(self, test):
        super().addSuccess(test)
        self.write("ok", test)

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self.write("not ok", test)

    def addError(self, test, err):
        super().addError(test, err)
        self.write("not ok", test)

    def addSubTest(self, test, subtest, err):
        super().addSubTest(test, subtest, err)
        if err:
            self.write("not ok", subtest)

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self.write("ok", test, f" # skip {reason}")


def main():
    unittest.main(testRunner=unittest.TextTestRunner(resultclass=TapResult))
