#!/usr/bin/env python3
"""Rendered pictures beside DCMTK's: of each real image that dcm2pnm (dcmj2pnm, dcml2pnm) can draw, /rendered as PNG is the same picture, within
one step of 255: modality and VOI transforms, palettes, colour spaces, MONOCHROME1, overlays; and the shape of pixels.
"""
import glob
import os
import re
import shutil
import subprocess
import sys
import unittest
import urllib.request
import warnings

import numpy
import pydicom

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'harness'))
import cairn_harness as h  # noqa: E402
import png  # noqa: E402

warnings.simplefilter('ignore')  # pydicom's, of what the files are like

TOOLS = [tool for tool in ('dcm2pnm', 'dcmj2pnm', 'dcml2pnm') if shutil.which(tool)]
FILES = ('modalities/*/*.dcm', 'syntaxes/12-bit/*.dcm', 'syntaxes/colour-test-pattern/*.dcm', 'syntaxes/ct-one-image-all-syntaxes/*.dcm', 'syntaxes/jpegls-variants/*.dcm',
         'syntaxes/mr-small/*.dcm', 'syntaxes/multiframe-compressed/*.dcm', 'syntaxes/rgb-small-rle/*.dcm')
# Why DCMTK's picture is another one.
OTHER = {
    'MOVEKNEE.dcm': 'its windows are in functional groups, which DCMTK does not read',
    'seg_image_sm_control_labelmap.dcm': 'no window: DCMTK takes the range of all frames, Cairn of the one shown',
    'sm_image_grayscale.dcm': 'as above',
    'GH195.dcm': 'RGB by its header, YCbCr by its codestream: DCMTK believes the header',
}


def netpbm(path):
    with open(path, 'rb') as f:
        data = f.read()
    found = re.match(rb'(P[56])\s+(?:#.*\n)*(\d+)\s+(\d+)\s+255\s', data)
    width, height = int(found[2]), int(found[3])
    return numpy.frombuffer(data[found.end():], 'u1').reshape(height, width, 3 if found[1] == b'P6' else 1).astype(int)


@unittest.skipUnless(TOOLS, 'dcm2pnm (package dcmtk) is not installed')
class Pictures(unittest.TestCase):
    def setUp(self):
        self.folder = h.data_folder()
        if self.folder is None:
            self.skipTest('DICOM_TEST_DATA_DIR: no folder of real DICOM files')
        self.workspace = h.Workspace('pictures')
        self.server = h.Server(os.path.join(self.workspace.path, 'data'), work=self.workspace.path).start()

    def tearDown(self):
        self.server.stop()
        self.workspace.__exit__(None, None, None)

    def reference(self, path, d, *more):
        """What DCMTK draws; None when it cannot."""
        window = ['+Wi', '1'] if d.get('WindowWidth') else ['+Wl', '1'] if d.get('VOILUTSequence') else ['+Wm']
        for tool in TOOLS:
            out = os.path.join(self.workspace.path, 'reference')
            done = subprocess.run([tool, *window, *more, path, out], capture_output=True)
            if done.returncode == 0 and os.path.exists(out):
                picture = netpbm(out)
                os.unlink(out)
                return picture
        return None

    def rendered(self, path, d):
        with open(path, 'rb') as f:
            body = b'\r\n--bnd\r\nContent-Type: application/dicom\r\n\r\n' + f.read() + b'\r\n--bnd--\r\n'
        request = urllib.request.Request(f'http://127.0.0.1:{self.server.http}/dicom-web/studies', body, {'Content-Type': 'multipart/related; type="application/dicom"; boundary=bnd'})
        urllib.request.urlopen(request, timeout=60).close()
        status, data = self.server.get(f'/dicom-web/studies/{d.StudyInstanceUID}/series/{d.SeriesInstanceUID}/instances/{d.SOPInstanceUID}/rendered?accept=image/png')
        self.assertEqual(status, 200, data[:300])
        width, height, channels, rows = png.read(data)
        return numpy.array(rows).reshape(height, width, channels)

    def test_are_those_of_dcmtk(self):
        compared = overlays = 0
        for path in sorted(f for pattern in FILES for f in glob.glob(os.path.join(self.folder, pattern))):
            d = pydicom.dcmread(path, force=True)
            if 'Rows' not in d or 'StudyInstanceUID' not in d or os.path.basename(path) in OTHER:
                continue
            reference = self.reference(path, d)
            if reference is None:
                continue
            with self.subTest(file=os.path.basename(path)):
                ours = self.rendered(path, d)
                self.assertEqual(ours.shape[:2], reference.shape[:2])
                difference = numpy.abs(ours - reference)  # grey beside colour too
                self.assertLessEqual(difference.max(), 2 if 'YBR' in d.PhotometricInterpretation else 1)
                compared += 1
                overlays += any((group, 0x0010) in d for group in range(0x6000, 0x6020, 2))
        self.assertGreater(compared, 50)
        self.assertGreaterEqual(overlays, 2)
        print(f'{compared} pictures are DCMTK\'s, {overlays} of them with overlays')

    def test_pixels_become_square(self):
        for name in ('color-px.dcm', 'color-pl.dcm'):  # 256 x 120, each pixel 4 high and 3 wide
            path = os.path.join(self.folder, 'syntaxes/rgb-small-jpeg', name)
            d = pydicom.dcmread(path)
            reference = self.reference(path, d, '+Sxv', '256')
            ours = self.rendered(path, d)
            self.assertEqual(ours.shape, (160, 256, 3))
            self.assertEqual(ours.shape, reference.shape)
            self.assertLess(numpy.abs(ours - reference).mean(), 4)  # DCMTK's filter is another one


if __name__ == '__main__':
    unittest.main(warnings='ignore')
