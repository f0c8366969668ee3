#!/usr/bin/env python3
"""A peer that takes nothing but Implicit VR Little Endian gets every image of the real files: DCMTK's storescp as destination of a
move, and getscu; what arrives is compared with the digests that independent decoders gave (EXPECTED.tsv).
"""
import csv
import glob
import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
import unittest
import warnings

import pydicom

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'harness'))
import cairn_harness as h  # noqa: E402
from real_data import can_be_filed, find, meta_of  # noqa: E402

warnings.filterwarnings('ignore', module='pydicom')
LOSSY = {'1.2.840.10008.1.2.4.' + end for end in ('50', '51', '53', '55', '81', '91', '203')}
WIDTHS = {'uint8': 1, 'int8': 1, 'uint16': 2, 'int16': 2, 'uint32': 4, 'int32': 4, 'float32': 4, 'float64': 8}


def samples_of(data_set, shape, width):
    """The samples as EXPECTED.tsv counts them: a byte each for those of one bit, colour by pixel."""
    frames, rows, columns, samples = shape
    pixels = next(data_set[k].value for k in ('PixelData', 'FloatPixelData', 'DoubleFloatPixelData') if k in data_set)
    if data_set.BitsAllocated == 1:
        count = frames * rows * columns * samples
        pixels = bytes((pixels[i >> 3] >> (i & 7)) & 1 for i in range(count))
    if samples > 1 and data_set.PlanarConfiguration == 1:
        assert frames == 1 and width == 1
        pixels = bytes(b for pixel in zip(*(pixels[i * rows * columns:(i + 1) * rows * columns] for i in range(samples))) for b in pixel)
    return pixels[:frames * rows * columns * samples * width]


def faults(path):
    """What dciodvfy and dcmdump object to; nothing where they are not installed."""
    said = ''
    for command in (['dciodvfy', path], ['dcmdump', '-q', path]):
        if shutil.which(command[0]):
            done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, errors='replace', timeout=60)
            said += done.stderr
    return {line.strip() for line in said.splitlines() if line.startswith(('Error', 'E:'))}


class Transcode(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = h.data_folder()
        if cls.folder is None:
            raise unittest.SkipTest('DICOM_TEST_DATA_DIR: no folder of real DICOM files')
        for program in ('storescp', 'movescu', 'getscu'):
            if not shutil.which(program):
                raise unittest.SkipTest(f'{program} (package dcmtk) is not installed')
        cls.workspace = h.Workspace('transcode')
        cls.scp = h.free_port()
        remotes = [{'ae_title': 'STORESCP', 'host': '127.0.0.1', 'port': cls.scp}]
        cls.server = h.Server(os.path.join(cls.workspace.path, 'data'), {'dicom': {'remote': remotes}}, work=cls.workspace.path).start()
        cls.got = os.path.join(cls.workspace.path, 'got')
        os.makedirs(cls.got)
        cls.receiver = subprocess.Popen(['storescp', '+xi', '--fork', '-od', cls.got, '-aet', 'STORESCP', str(cls.scp)],
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(.5)

    @classmethod
    def tearDownClass(cls):
        cls.receiver.kill()
        cls.receiver.wait()
        cls.server.stop()
        cls.workspace.__exit__(None, None, None)

    def store(self, path):
        done = subprocess.run([h.cairn_load(), '--port', str(self.server.dicom), path], capture_output=True, text=True, timeout=60)
        self.assertEqual(json.loads(done.stdout.strip().splitlines()[-1])['failed'], 0, path)

    def keys(self, meta):
        study, series = find(self.server, meta.sop)
        return ['-k', 'QueryRetrieveLevel=IMAGE', '-k', f'StudyInstanceUID={study}', '-k', f'SeriesInstanceUID={series}', '-k', f'SOPInstanceUID={meta.sop}']

    def expected(self):
        for table in sorted(glob.glob(os.path.join(self.folder, 'syntaxes', '*', 'EXPECTED.tsv'))):
            with open(table, encoding='utf-8') as f:
                for row in csv.DictReader(f, delimiter='\t'):
                    path = os.path.join(os.path.dirname(table), row['file'])
                    meta = meta_of(path)
                    if row['dtype'] in WIDTHS and meta and can_be_filed(meta) and not meta.contradicts:
                        yield path, row, meta

    def test_every_image_arrives_native(self):
        exact = lossy = 0
        for path, row, meta in self.expected():
            with self.subTest(path=path):
                self.store(path)
                for old in glob.glob(os.path.join(self.got, '*')):
                    os.remove(old)
                done = subprocess.run(['movescu', '-S', '-aec', 'CAIRN', '-aem', 'STORESCP', '127.0.0.1', str(self.server.dicom), *self.keys(meta)],
                                      capture_output=True, text=True, timeout=60)
                files = glob.glob(os.path.join(self.got, '*'))
                self.assertEqual((done.returncode, len(files)), (0, 1), f'{done.stdout}{done.stderr}{self.server.log_tail()}')
                data_set = pydicom.dcmread(files[0])
                self.assertEqual(data_set.file_meta.TransferSyntaxUID, '1.2.840.10008.1.2')
                self.assertEqual(data_set.SOPInstanceUID, meta.sop)
                # dciodvfy reads no deflated original.
                if row['transfer_syntax'] != '1.2.840.10008.1.2.1.99':
                    self.assertEqual(faults(files[0]) - faults(path), set(), 'what was sent has faults that what was stored has not')
                shape = [int(n) for n in row['frames_x_rows_x_columns_x_samples'].split('x')]
                samples = samples_of(data_set, shape, WIDTHS[row['dtype']])
                self.assertEqual(len(samples), shape[0] * shape[1] * shape[2] * shape[3] * WIDTHS[row['dtype']])
                if row['transfer_syntax'] in LOSSY:
                    # Another decoder may round otherwise; that it was lossy has to be said.
                    if row['transfer_syntax'] not in ('1.2.840.10008.1.2.4.81', '1.2.840.10008.1.2.4.91', '1.2.840.10008.1.2.4.203'):
                        self.assertEqual(data_set.get('LossyImageCompression'), '01')
                    lossy += 1
                    continue
                self.assertEqual(hashlib.sha256(samples).hexdigest(), row['sha256_of_decoded_little_endian_samples'])
                exact += 1
        self.assertGreater(exact, 40)
        self.assertGreater(lossy, 8)
        print(f'{exact} images bit for bit, {lossy} lossy ones')

    def test_a_get_by_one_that_takes_no_compressed_syntax(self):
        path, row = next((p, row) for p, row, _ in self.expected() if row['transfer_syntax'] == '1.2.840.10008.1.2.4.70')
        meta = meta_of(path)
        self.store(path)
        folder = os.path.join(self.workspace.path, 'fetched')
        os.makedirs(folder)
        done = subprocess.run(['getscu', '-S', '-xi', '+B', '-aec', 'CAIRN', '-od', folder, '127.0.0.1', str(self.server.dicom), *self.keys(meta)],
                              capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        files = glob.glob(os.path.join(folder, '*'))
        self.assertEqual(len(files), 1)
        data_set = pydicom.dcmread(files[0])
        self.assertIn(data_set.file_meta.TransferSyntaxUID, ('1.2.840.10008.1.2', '1.2.840.10008.1.2.1'))
        shape = [int(n) for n in row['frames_x_rows_x_columns_x_samples'].split('x')]
        self.assertEqual(hashlib.sha256(samples_of(data_set, shape, WIDTHS[row['dtype']])).hexdigest(), row['sha256_of_decoded_little_endian_samples'])


if __name__ == '__main__':
    unittest.main(verbosity=2)
