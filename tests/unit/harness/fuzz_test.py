"""What a fuzz target finds is a failure of its test."""

import subprocess
import tempfile
import unittest
from pathlib import Path

from harness import fuzz, main

TARGET = """#include <stdint.h>
#include <stddef.h>
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length) { (void)bytes; (void)length; __builtin_trap(); }
"""


class FuzzTest(unittest.TestCase):
    def test_a_finding_is_no_skipped_test(self):
        with tempfile.TemporaryDirectory() as folder:
            source, program = Path(folder) / "trap.c", Path(folder) / "trap"
            source.write_text(TARGET)
            subprocess.run(["clang-14", "-fsanitize=fuzzer", source, "-o", program], check=True)
            words = [word for word in fuzz.command("trap", 1) if str(word).startswith("-") and "prefix" not in str(word)]
            ended = subprocess.run([program, *words, f"-artifact_prefix={folder}/"], capture_output=True, check=False)
            self.assertEqual(ended.returncode, fuzz.FOUND)
            self.assertNotEqual(ended.returncode, main.SKIPPED)


if __name__ == "__main__":
    unittest.main()
