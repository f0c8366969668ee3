#!/usr/bin/env python3
"""The layering check on trees made for it: it must find what is planted and nothing else."""
import os
import subprocess
import sys
import tempfile
import unittest

CHECKER = os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..', 'layering.py')


class Layering(unittest.TestCase):
    def run_on(self, files):
        with tempfile.TemporaryDirectory() as root:
            for path, text in files.items():
                full = os.path.join(root, path)
                os.makedirs(os.path.dirname(full), exist_ok=True)
                with open(full, 'w') as f:
                    f.write(text)
            done = subprocess.run([sys.executable, CHECKER, root], capture_output=True, text=True)
            return done.returncode, done.stdout

    def test_downward_includes_pass(self):
        code, out = self.run_on({'engine/store/log.cpp': '#include "engine/dicom/tag.h"\n#include "engine/core/bytes.h"\n',
                                 'engine/web/routes.cpp': '#include "engine/core/result.h"\n#include "recon/geometry.h"\n',
                                 'engine/store/CMakeLists.txt': 'cairn_library(store SOURCES log.cpp PUBLIC cairn::dicom)\n'})
        self.assertEqual(code, 0, out)

    def test_an_upward_include_is_named_with_its_line(self):
        code, out = self.run_on({'engine/store/log.cpp': '// fine\n#include "engine/archive/archive.h"\n'})
        self.assertEqual(code, 1)
        self.assertIn('engine/store/log.cpp:2:', out)

    def test_a_sideways_include_is_a_fault(self):
        code, out = self.run_on({'engine/net/upper_layer.h': '#include "engine/store/log.h"\n'})
        self.assertEqual(code, 1, out)

    def test_codec_and_recon_know_only_core(self):
        for part in ('codec', 'recon'):
            code, out = self.run_on({part + '/a.h': '#include "engine/dicom/tag.h"\n'})
            self.assertEqual(code, 1, out)

    def test_an_upward_link_is_a_fault(self):
        code, out = self.run_on({'engine/core/CMakeLists.txt': 'target_link_libraries(cairn_core PUBLIC cairn::dicom)\n'})
        self.assertEqual(code, 1, out)

    def test_a_second_library_of_a_part_is_known(self):
        files = {'engine/store/index/CMakeLists.txt': 'cairn_library(index\n  SOURCES a.cpp)\n',
                 'engine/dicom/CMakeLists.txt': 'cairn_library(dicom SOURCES a.cpp PUBLIC cairn::index)\n'}
        code, out = self.run_on(files)
        self.assertEqual(code, 1, out)
        self.assertIn('cairn::index', out)

    def test_the_product_does_not_use_tests(self):
        code, out = self.run_on({'engine/io/ring.cpp': '#include "tests/crash/double.h"\n'})
        self.assertEqual(code, 1, out)

    def test_an_empty_tree_is_no_success(self):
        self.assertEqual(self.run_on({'README.md': ''})[0], 2)


if __name__ == '__main__':
    unittest.main()
