#!/usr/bin/env python3
"""Ordinary DICOM clients against the server: DCMTK, GDCM and odil. A client that is missing is a visible skip.

Exit codes are trusted only where they mean something (gdcmscu aborts even on success, odil store succeeds on a refusal,
dcmsend too): the server's state is what counts.
"""
import glob
import json
import os
import re
import shutil
import subprocess
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'harness'))
import cairn_harness as h  # noqa: E402
from real_data import can_be_filed, find, meta_of  # noqa: E402

VOLUME = 'volumes/ct-head-phantom-gantry-tilt/dicom'


def needs(program, package):
    return unittest.skipUnless(shutil.which(program), f'{program} (package {package}) is not installed')


class Clients(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = h.data_folder()
        cls.workspace = h.Workspace('clients')
        cls.server = h.Server(os.path.join(cls.workspace.path, 'data'), work=cls.workspace.path).start()

    @classmethod
    def tearDownClass(cls):
        cls.server.stop()
        cls.workspace.__exit__(None, None, None)

    def run_client(self, *command, seconds=120):
        done = subprocess.run(command, capture_output=True, text=True, errors='replace', timeout=seconds, cwd=self.workspace.path)
        self.assertTrue(self.server.running(), f'{command[0]} killed the server\n{self.server.log_tail()}')
        return done.returncode, done.stdout + done.stderr

    def files(self, pattern):
        if self.folder is None:
            self.skipTest('DICOM_TEST_DATA_DIR: no folder of real DICOM files')
        found = sorted(f for f in glob.glob(os.path.join(self.folder, pattern)) if os.path.isfile(f))
        self.assertTrue(found, pattern)
        return found

    def assert_stored(self, files, re_encoded=False):
        """`re_encoded`: the client parses and writes the data set anew, so its bytes are its own."""
        for path in files:
            file = meta_of(path)
            sop, syntax, data = file.sop, file.syntax, file.data
            where = find(self.server, sop)
            self.assertIsNotNone(where, f'{path} is not in the archive')
            status, stream = h.retrieve(self.server, *where, sop)
            self.assertEqual(status, 200)
            got_syntax, got = h.data_set_of(stream)
            if re_encoded:
                self.assertGreater(len(got), .9 * len(data), f'{path} came back short')
            elif got_syntax == syntax:
                self.assertTrue(got == data, f'{path} came back altered')
            else:
                self.assertEqual(got_syntax, '1.2.840.10008.1.2', f'{path} came back as {got_syntax}')  # the client converted it

    @property
    def port(self):
        return str(self.server.dicom)

    @needs('echoscu', 'dcmtk')
    def test_dcmtk_echo(self):
        code, text = self.run_client('echoscu', '-aec', 'CAIRN', '127.0.0.1', self.port)
        self.assertEqual(code, 0, text)

    @needs('storescu', 'dcmtk')
    def test_dcmtk_store_and_find(self):
        files = self.files(VOLUME + '/*')
        begun = time.monotonic()
        code, text = self.run_client('storescu', '-aec', 'CAIRN', '127.0.0.1', self.port, *files)
        elapsed = time.monotonic() - begun
        self.assertEqual(code, 0, text)
        self.assert_stored(files)
        # As shipped the sender has Nagle on; a receiver that answers in one write and acknowledges at once does not let
        # it wait 40 ms for each instance.
        self.assertLess(elapsed / len(files), .03, 'storescu waits for delayed acknowledgements')
        study, series = find(self.server, meta_of(files[0]).sop)
        code, text = self.run_client('findscu', '-S', '-aec', 'CAIRN', '-k', 'QueryRetrieveLevel=STUDY', '-k', f'StudyInstanceUID={study}',
                                     '-k', 'PatientID', '-k', 'NumberOfStudyRelatedInstances', '127.0.0.1', self.port)
        self.assertEqual(code, 0, text)
        self.assertIn(study, text)
        self.assertRegex(text, rf'\(0020,1208\) IS \[{len(files)} ?\]', 'NumberOfStudyRelatedInstances')
        code, text = self.run_client('findscu', '-S', '-aec', 'CAIRN', '-k', 'QueryRetrieveLevel=IMAGE', '-k', f'StudyInstanceUID={study}',
                                     '-k', f'SeriesInstanceUID={series}', '-k', 'SOPInstanceUID', '127.0.0.1', self.port)
        self.assertEqual(code, 0, text)
        found = set(re.findall(r'\(0008,0018\) UI \[([0-9.]+)', text))
        self.assertTrue({meta_of(f).sop for f in files} <= found, 'image level query misses instances')

    @needs('dcmsend', 'dcmtk')
    def test_dcmtk_send(self):
        files = [f for f in self.files('syntaxes/*/*.dcm') if (m := meta_of(f)) and can_be_filed(m) and not m.contradicts][:60]
        report = os.path.join(self.workspace.path, 'dcmsend.txt')
        self.run_client('dcmsend', '-aec', 'CAIRN', '--no-halt', '--decompress-never', '--no-uid-checks', '--create-report-file', report, '127.0.0.1', self.port, *files)
        with open(report, errors='replace') as f:
            text = f.read()
        statuses = re.findall(r'DIMSE Status\s*:\s*0x([0-9a-fA-F]{4})', text)
        self.assertEqual(set(statuses), {'0000'}, text[-1500:])
        self.assertGreater(len(statuses), 40, 'hardly anything was sent')

    @needs('gdcmscu', 'libgdcm-tools')
    def test_gdcm_echo_and_store(self):
        self.run_client('gdcmscu', '--echo', '--call', 'CAIRN', '127.0.0.1', self.port)
        files = self.files('volumes/ct-gantry-tilt-4/dicom/*')
        self.run_client('gdcmscu', '--store', '--call', 'CAIRN', '127.0.0.1', self.port, *files)
        self.assert_stored(files)

    @needs('odil', 'odil')
    def test_odil_echo_store_and_find(self):
        code, text = self.run_client('odil', 'echo', '127.0.0.1', self.port, 'ODIL', 'CAIRN')
        self.assertEqual(code, 0, text)
        files = [f for f in self.files('volumes/ct-missing-slice-4/dicom/*') if meta_of(f)]
        code, text = self.run_client('odil', 'store', '127.0.0.1', self.port, 'ODIL', 'CAIRN', *files)
        self.assert_stored(files, re_encoded=True)
        study, _ = find(self.server, meta_of(files[0]).sop)
        code, text = self.run_client('odil', 'find', '127.0.0.1', self.port, 'ODIL', 'CAIRN', 'study', 'QueryRetrieveLevel=STUDY', f'StudyInstanceUID={study}')
        self.assertEqual(code, 0, text)
        self.assertIn(study, text)

    def test_a_refused_store_names_the_fault(self):
        """A data set without UIDs: the status is an error and the server goes on."""
        import struct
        path = os.path.join(self.workspace.path, 'nothing.dcm')
        meta = b''
        for element, vr, value in ((2, b'UI', b'1.2.840.10008.5.1.4.1.1.2\0'), (3, b'UI', b'1.2.3.4.'), (16, b'UI', b'1.2.840.10008.1.2.1\0')):
            value = value.rstrip(b'.') + b'\0' if value.endswith(b'.') else value
            meta += struct.pack('<HH2sH', 2, element, vr, len(value)) + value
        with open(path, 'wb') as f:
            f.write(bytes(128) + b'DICM' + meta + struct.pack('<HH2sH', 0x10, 0x20, b'LO', 4) + b'X   ')
        done = subprocess.run([h.cairn_load(), '--port', self.port, path], capture_output=True, text=True, timeout=60)
        result = json.loads(done.stdout.strip().splitlines()[-1])
        self.assertEqual(result['stored'], 0, result)
        status = next(iter(result['statuses']))
        self.assertRegex(status, '^(A9|C)', result)
        self.assertTrue(result['errors'] and result['errors'][0], 'no Error Comment')
        self.assertTrue(self.server.running())

    @needs('storescu', 'dcmtk')
    def test_pictures_of_a_stack(self):
        files = self.files(VOLUME + '/*')
        self.run_client('storescu', '-aec', 'CAIRN', '127.0.0.1', self.port, *files)
        study, series = find(self.server, meta_of(files[0]).sop)
        status, body = self.server.get(f'/api/v1/studies/{study}/series/{series}/volume')
        self.assertEqual(status, 200, body[:500])
        volume = json.loads(body)['volumes'][0]
        with open(os.path.join(self.folder, os.path.dirname(VOLUME), 'reference.json')) as f:
            stack = json.load(f)['stacks'][0]
        self.assertEqual(volume['dimensions'][2], stack['positions'])
        self.assertAlmostEqual(volume['spacing_mm'][0], stack['pixel_spacing_row_col'][1], places=4)
        self.assertAlmostEqual(volume['spacing_mm'][2], min(stack['distances_mm']), delta=.01)
        self.assertAlmostEqual(abs(volume['tilt_degrees']), stack['shear_degrees'], delta=.1)
        import png
        for orientation in 'arph':
            status, body = self.server.get(f'/dicom-web/studies/{study}/series/{series}/renderedmpr?orientation={orientation}&viewport=200,160', 'image/png')
            self.assertEqual(status, 200, body[:500])
            width, height, channels, rows = png.read(body)
            self.assertEqual((width, height), (200, 160))
            values = [v for row in rows for v in row]
            self.assertGreater(len(set(values)), 16, f'orientation {orientation}: a blank picture')
            self.assertGreater(max(values) - min(values), 100, f'orientation {orientation}: next to no contrast')


if __name__ == '__main__':
    unittest.main(verbosity=2)
