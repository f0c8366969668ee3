#!/usr/bin/env python3
"""A real viewer in a real browser: OHIF's application, as its makers built it, in headless Chromium reads a study from the server, over
HTTP/1.1 and over HTTPS with HTTP/2, from another origin. It finds the study by QIDO-RS, opens each series and shows its frames: what its
decoders give is what pydicom reads from the files or their uncompressed twins, and the canvas shows that slice, each pixel in its place.
Then the server's own pages of images, by the links that people hand on.

    browser.py [--keep FOLDER]     keeps what was seen
"""
import argparse
import base64
import glob
import json
import os
import shutil
import subprocess
import sys
import time
import unittest
import urllib.request

import numpy
import pydicom
from pydicom.multival import MultiValue
from pydicom.uid import UID_dictionary, generate_uid

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'harness'))
import cairn_harness as h  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
CLIENTS = os.path.join(HERE, 'web_clients')
APP = os.path.join(CLIENTS, 'ohif')
CHROMIUM = shutil.which('chromium')
PATIENT = 'BROWSER^TEST'
UID_dictionary.setdefault('1.2.840.10008.1.2.4.202', ('HTJ2K', 'Transfer Syntax', '', '', 'HTJ2K'))  # younger than Debian's pydicom

# A series: how it is called, and its files, each with its uncompressed twin. JPEG lossless is left out: the decoder of OHIF 3.12 gives 0 for the
# last sample of ct_jpeg_lossless_sv1_70.dcm, whose frame the server hands out as it is in the file.
CT, EMRI = 'syntaxes/ct-one-image-all-syntaxes/', 'syntaxes/emri-10-frames/'
SERIES = (
    ('stack', [('volumes/ct-3-slices-with-seg/dicom/*', None)]),
    ('codings', [(CT + name, CT + 'ct_explicit_le.dcm') for name in ('ct_explicit_le.dcm', 'ct_jpegls_80.dcm', 'ct_j2k_90.dcm', 'ct_rle.dcm')]),
    ('HTJ2K', [('syntaxes/htj2k-nema/CT1_htj2k_202.dcm', 'syntaxes/htj2k-nema/CT1_unc.dcm')]),
    ('frames', [(EMRI + 'emri_small.dcm', None)]),
    ('frames in JPEG-LS', [(EMRI + 'emri_small_jpeg_ls_lossless.dcm', EMRI + 'emri_small.dcm')]),
    ('frames in J2K', [(EMRI + 'emri_small_jpeg_2k_lossless.dcm', EMRI + 'emri_small.dcm')]),
    ('colour', [('modalities/us/examples_rgb_color.dcm', None)]),
)


class Prepared:
    """The study: copies of real files under one Study Instance UID, and what each frame must look like: by SOP Instance UID and frame
    the series' name, stored values, slope, intercept."""

    def __init__(self, folder, into):
        self.study, self.paths, self.series = generate_uid(entropy_srcs=['study']), [], len(SERIES)
        self.expected, self.series_of, self.window_of = {}, {}, {}
        for number, (name, files) in enumerate(SERIES, 1):
            series = generate_uid(entropy_srcs=[name])
            files = [(path, twin) for pattern, twin in files for path in sorted(glob.glob(os.path.join(folder, pattern)))]
            for instance, (path, twin) in enumerate(files, 1):
                d = pydicom.dcmread(path)
                d.PatientName, d.PatientID, d.StudyInstanceUID, d.SeriesInstanceUID = PATIENT, 'B1', self.study, series
                d.SeriesNumber, d.InstanceNumber, d.SeriesDescription, d.SOPInstanceUID = number, instance, name, generate_uid(entropy_srcs=[name, str(instance)])
                d.StudyDate, d.StudyTime, d.StudyID, d.AccessionNumber = '20240102', '101112', '1', 'BROWSER'
                d.file_meta.MediaStorageSOPInstanceUID = d.SOPInstanceUID
                self.paths.append(os.path.join(into, f'{d.SOPInstanceUID}.dcm'))
                d.save_as(self.paths[-1])
                self.series_of[d.SOPInstanceUID] = series
                center, width = d.get('WindowCenter'), d.get('WindowWidth')
                center, width = (v[0] if isinstance(v, MultiValue) else v for v in (center, width))
                self.window_of[d.SOPInstanceUID] = (center - .5 - (width - 1) / 2, center - .5 + (width - 1) / 2) if width else None
                plain = pydicom.dcmread(os.path.join(folder, twin)) if twin else d
                frames = plain.pixel_array
                frames = frames if int(plain.get('NumberOfFrames', 1)) > 1 else frames[None]
                for i, frame in enumerate(frames, 1):
                    self.expected[d.SOPInstanceUID, i] = (name, frame, float(plain.get('RescaleSlope', 1)), float(plain.get('RescaleIntercept', 0)))


def store(server, paths):
    body = b''
    for path in paths:
        with open(path, 'rb') as f:
            body += b'\r\n--bnd\r\nContent-Type: application/dicom\r\n\r\n' + f.read()
    request = urllib.request.Request(f'http://127.0.0.1:{server.http}/dicom-web/studies', body + b'\r\n--bnd--\r\n', method='POST', headers={
        'Content-Type': 'multipart/related; type="application/dicom"; boundary=bnd', 'Accept': 'application/dicom+json'})
    with urllib.request.urlopen(request, timeout=60) as reply:
        stored = json.load(reply)
    h.expect(len(stored['00081199']['Value']) == len(paths) and '00081198' not in stored, f'not all was stored: {str(stored)[:1000]}')


def shades_of(picture, pixels):
    return numpy.frombuffer(pixels, dtype='u1').reshape(picture['height'], picture['width'], 4)[..., :3].astype(numpy.float64)


def sampled(image, x, y):
    """Bilinear values of an image at positions in pixels; the last axis is colour."""
    x0, y0 = numpy.floor(x).astype(int), numpy.floor(y).astype(int)
    x1, y1 = numpy.minimum(x0 + 1, image.shape[1] - 1), numpy.minimum(y0 + 1, image.shape[0] - 1)
    fx, fy = (x - x0)[..., None], (y - y0)[..., None]
    return (image[y0, x0] * (1 - fx) + image[y0, x1] * fx) * (1 - fy) + (image[y1, x0] * (1 - fx) + image[y1, x1] * fx) * fy


@unittest.skipUnless(CHROMIUM and shutil.which('node') and os.path.isdir(os.path.join(CLIENTS, 'node_modules', 'playwright-core')) and os.path.isfile(os.path.join(APP, 'index.html')),
                     'chromium, node, or the packages of tests/peer/web_clients are not installed')
class Browser(unittest.TestCase):
    keep = None

    @classmethod
    def setUpClass(cls):
        folder = h.data_folder()
        if folder is None:
            raise unittest.SkipTest('DICOM_TEST_DATA_DIR: no folder of real DICOM files')
        cls.workspace = h.Workspace('browser')
        cls.https = h.free_port()
        key, certificate = (os.path.join(cls.workspace.path, name) for name in ('key.pem', 'cert.pem'))
        subprocess.run(['openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', key, '-out', certificate,
                        '-days', '2', '-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost'], check=True, capture_output=True)
        settings = {'http': {'certificate': certificate, 'key': key, 'https_port': cls.https, 'cross_origins': ['*']}}
        cls.server = h.Server(os.path.join(cls.workspace.path, 'data'), settings, work=cls.workspace.path).start()
        os.makedirs(os.path.join(cls.workspace.path, 'files'))
        cls.prepared = Prepared(folder, os.path.join(cls.workspace.path, 'files'))
        store(cls.server, cls.prepared.paths)

    @classmethod
    def tearDownClass(cls):
        cls.server.stop()
        cls.workspace.__exit__(None, None, None)

    def test_over_http_1(self):
        self.look(f'http://127.0.0.1:{self.server.http}', 'http/1.1')

    def test_over_https_and_http_2(self):
        self.look(f'https://localhost:{self.https}', 'h2')

    def look(self, base, protocol):
        shots = os.path.join(self.keep or self.workspace.path, protocol.replace('/', ''))
        os.makedirs(shots, exist_ok=True)
        job = os.path.join(shots, 'job.json')
        with open(job, 'w') as f:
            json.dump({'app': APP, 'chromium': CHROMIUM, 'dicomweb': base + '/dicom-web', 'pages': [address for address, *_ in self.pages(base)], 'study': self.prepared.study,
                       'series': self.prepared.series, 'patient': 'BROWSER', 'shots': shots}, f)
        # What the decoder gave must be right at once. The application may paint late, or once more after it seemed done: a canvas
        # that is wrong three times is wrong.
        for attempt in (1, 2, 3):
            began = time.monotonic()
            done = subprocess.run(['node', os.path.join(CLIENTS, 'browser.cjs'), job], capture_output=True, text=True, timeout=300)
            seen, shown, unlike = self.read(done, shots, protocol)
            if not unlike:
                break
            print(f'{protocol}, attempt {attempt}: ' + '; '.join(unlike))
        self.assertEqual(unlike, [])
        left = {key: name for key, (name, *_) in self.prepared.expected.items() if key[0] not in shown}
        self.assertEqual(sorted(left.values()), [], 'instances that were never shown')
        self.assertEqual(len(seen['images']), 18, 'three frames of ten, else all')
        self.judge_pages(self.pages(base), seen['pages'])
        print(f'{protocol}: {len(seen["images"])} frames, {len(seen["answers"])} answers, {time.monotonic() - began:.0f} s; {done.stderr.split()}')

    def read(self, done, shots, protocol):
        """(what was seen, the instances shown, what is wrong on the canvas) of one visit."""
        self.assertEqual(done.returncode, 0, done.stdout[-2000:] + done.stderr[-2000:])
        seen = json.loads(done.stdout)
        if self.keep:
            with open(os.path.join(shots, 'seen.json'), 'w') as f:
                json.dump(seen, f, indent=1)
        self.assertIsNone(seen.get('failure'), done.stderr + self.server.log_tail())
        self.assertEqual(seen['complaints'], [])
        self.assertEqual({p for _, p, _ in seen['answers']}, {protocol})
        # What is no volume has no planes, and the page of the study asks for them.
        self.assertEqual([a for a in seen['answers'] if a[0] >= 400 and not (a[0] == 422 and '/renderedmpr?' in a[2])], [])
        self.assertIn('BROWSER', seen['list'])
        self.assertIn('02-Jan-2024', seen['list'])
        expected, shown, unlike = dict(self.prepared.expected), set(), []
        for i, image in enumerate(seen['images']):
            uid, frame = image['imageId'].split('/instances/')[1].split('/frames/')
            name, pixels, slope, intercept = expected.pop((uid, int(frame)))
            shown.add(uid)
            with self.subTest(series=name, frame=frame, image=i):
                wrong = self.judge(image, os.path.join(shots, str(i)), pixels, slope, intercept)
                if wrong:
                    unlike.append(f'{name} frame {frame}: {wrong}')
        return seen, shown, unlike

    def judge(self, image, name, pixels, slope, intercept):
        """Asserts what was decoded; returns what is wrong on the canvas, or nothing."""
        kinds = {'Int16Array': 'i2', 'Uint16Array': 'u2', 'Uint8Array': 'u1', 'Uint8ClampedArray': 'u1', 'Int8Array': 'i1', 'Float32Array': 'f4'}
        samples = numpy.fromfile(name + '.samples', dtype='<' + kinds[image['kind']]).astype(numpy.float64)
        wanted = pixels.astype(numpy.float64)
        if image['color']:
            samples = samples.reshape(*pixels.shape[:2], -1)[..., :3]
            shades = wanted
        else:
            wanted = (wanted * slope + intercept)[..., None]
            samples = samples.reshape(wanted.shape)
            low, high = image['range']['lower'], image['range']['upper']
            shades = numpy.clip((wanted - low) / (high - low), 0, 1) * 255
            shades = 255 - shades if image['invert'] else shades
        numpy.testing.assert_array_equal(samples, wanted)
        # Where the picture lies on the canvas; every canvas pixel well inside is compared.
        with open(name + '.canvas', 'rb') as f:
            canvas = shades_of(image['canvas'], f.read())
        origin, across, down = (numpy.array(c) for c in image['corners'])
        rows, columns = pixels.shape[:2]
        step_x, step_y = (across - origin) / (columns - 1), (down - origin) / (rows - 1)
        v, u = numpy.mgrid[0:canvas.shape[0], 0:canvas.shape[1]]
        x, y = numpy.linalg.solve(numpy.stack([step_x, step_y], axis=1), numpy.stack([(u + .5 - origin[0]).ravel(), (v + .5 - origin[1]).ravel()]))
        inside = (x >= 1) & (x <= columns - 2) & (y >= 1) & (y <= rows - 2)
        if inside.mean() <= .3:
            return f'the picture fills {inside.mean():.0%} of the canvas'
        shown = canvas.reshape(-1, 3)[inside]
        expected = numpy.broadcast_to(sampled(shades, x[inside], y[inside]), shown.shape)
        self.assertGreater(expected.std(), 5, 'a picture of nothing')
        difference = numpy.abs(shown - expected)
        if difference.mean() >= 2.5 or numpy.percentile(difference, 95) >= 12:
            return f'off by {difference.mean():.1f} on the whole, window {image["range"]}, shown {shown.min():.0f} to {shown.max():.0f}'
        return None

    def pages(self, base):
        """(address, where it leads, the frames shown there or how many pictures) of links to a study, a series, an instance, a frame."""
        def of(name):
            return [key for key, (series, *_) in self.prepared.expected.items() if series == name]

        (single, _), (multi, _) = of('stack')[0], of('frames')[0]
        place = {sop: f'/studies/{self.prepared.study}/series/{self.prepared.series_of[sop]}' for sop in (single, multi)}
        image, frame = f'{place[single]}/instances/{single}', f'{place[multi]}/instances/{multi}/frames/7'
        stack = place[single]
        # The page of a study shows of each series a picture and three planes, if it is a volume.
        return [(base + address, base + leads, shown) for address, leads, shown in (
            (f'/studies/{self.prepared.study}', f'/studies/{self.prepared.study}', 4 * self.prepared.series), (stack, stack, len(of('stack'))),
            (image, image, [(single, 1)]), (frame, frame, [(multi, 7)]),
            ('/dicom-web' + stack, stack, len(of('stack'))), ('/dicom-web' + image, image, [(single, 1)]), ('/dicom-web' + frame, frame, [(multi, 7)]))]

    def judge_pages(self, wanted, seen):
        for (address, leads, shown), page in zip(wanted, seen, strict=True):
            with self.subTest(page=address):
                self.assertEqual((page['status'], page['landed']), (200, leads))
                pictures = page['pictures'][::4] if shown == 4 * self.prepared.series else page['pictures']
                self.assertNotIn(0, [p['width'] for p in pictures], 'a picture is broken')
                self.assertEqual(len(page['pictures']), shown if isinstance(shown, int) else len(shown))
                for key, picture in zip(shown if isinstance(shown, list) else [], page['pictures']):
                    _, pixels, slope, intercept = self.prepared.expected[key]
                    shades = shades_of(picture, base64.b64decode(picture['pixels']))[..., 0]
                    self.assertEqual(shades.shape, pixels.shape)
                    values = pixels * slope + intercept
                    low, high = self.prepared.window_of[key[0]] or (values.min(), values.max())
                    expected = numpy.clip((values - low) / (high - low), 0, 1) * 255
                    self.assertGreater(expected.std(), 5, 'a picture of nothing')
                    self.assertLess(numpy.abs(shades - expected).mean(), 4)  # it is a JPEG


if __name__ == '__main__':
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('--keep')
    a, rest = p.parse_known_args()
    Browser.keep = a.keep
    unittest.main(argv=[sys.argv[0], *rest])
