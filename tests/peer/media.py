#!/usr/bin/env python3
"""What other people's encoders make goes in as metadata and bulk data and comes out again: pictures, videos and documents. Made and read
back by ffmpeg and OpenJPEG's tools, which read our video over HTTP as a player does, with ranges.
"""
import http.client
import json
import os
import shutil
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'harness'))
import cairn_harness as h  # noqa: E402

VL_PHOTO, VL_VIDEO = '1.2.840.10008.5.1.4.1.1.77.1.4', '1.2.840.10008.5.1.4.1.1.77.1.4.1'
PDF, CDA, STL = ('1.2.840.10008.5.1.4.1.1.104.' + n for n in '123')


def content_of(path):
    with open(path, 'rb') as f:
        return f.read()


def needs(*programs):
    missing = [p for p in programs if not shutil.which(p)]
    return unittest.skipIf(missing, f'not installed: {missing}')


def a_pdf():
    """One empty page, offsets and all."""
    objects = [b'<< /Type /Catalog /Pages 2 0 R >>', b'<< /Type /Pages /Kids [3 0 R] /Count 1 >>', b'<< /Type /Page /Parent 2 0 R /MediaBox [0 0 200 100] >>']
    out, offsets = b'%PDF-1.4\n', []
    for n, o in enumerate(objects, 1):
        offsets.append(len(out))
        out += b'%d 0 obj\n%s\nendobj\n' % (n, o)
    table = b''.join(b'%010d 00000 n \n' % o for o in offsets)
    return out + b'xref\n0 4\n0000000000 65535 f \n' + table + b'trailer << /Size 4 /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF' % len(out)


class Media(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.workspace = h.Workspace('media')
        cls.server = h.Server(os.path.join(cls.workspace.path, 'data'), work=cls.workspace.path).start()
        cls.count = 0

    @classmethod
    def tearDownClass(cls):
        cls.server.stop()
        cls.workspace.__exit__(None, None, None)

    def make(self, name, *command):
        path = os.path.join(self.workspace.path, name)
        done = subprocess.run([*command, path], capture_output=True, text=True, timeout=120)
        self.assertEqual(done.returncode, 0, done.stderr[-1000:])
        return path

    def ffmpeg(self, name, *options, source='testsrc=size=320x240:rate=10:duration=2'):
        return self.make(name, 'ffmpeg', '-y', '-v', 'error', '-f', 'lavfi', '-i', source, *options)

    def ask(self, method, path, body=None, headers={}):
        connection = http.client.HTTPConnection('127.0.0.1', self.server.http, timeout=60)
        connection.request(method, path, body, headers)
        try:
            reply = connection.getresponse()
            return reply, reply.read()
        finally:
            connection.close()

    def store(self, sop_class, media_type, contents, element='7FE00010', expect=200, **more):
        """The instance's path. `contents`: one value, or one a frame."""
        type(self).count += 1
        uid = f'1.2.9.1.{self.count}'
        data_set = {tag: {'vr': 'UI', 'Value': [v]} for tag, v in (('00080016', sop_class), ('00080018', uid), ('0020000D', '1.2.9'), ('0020000E', '1.2.9.1'))}
        data_set.update({t: {'vr': vr, 'Value': v} for t, (vr, v) in more.get('attributes', {}).items()})
        data_set[element] = {'vr': 'OB', 'BulkDataURI': 'media/1'}
        parts = [('application/dicom+json', '', json.dumps([data_set]).encode())] + [(media_type, 'media/1', c) for c in contents]
        body = b''.join(f'\r\n--bnd\r\nContent-Type: {t}\r\nContent-Location: {where}\r\n\r\n'.encode() + c for t, where, c in parts) + b'\r\n--bnd--\r\n'
        reply, answer = self.ask('POST', '/dicom-web/studies', body, {'Content-Type': 'multipart/related; type="application/dicom+json"; boundary=bnd'})
        self.assertEqual(reply.status, expect, answer)
        return f'/dicom-web/studies/1.2.9/series/1.2.9.1/instances/{uid}'

    def metadata(self, path):
        reply, body = self.ask('GET', path + '/metadata')
        self.assertEqual(reply.status, 200)
        return {k: v.get('Value', [None])[0] for k, v in json.loads(body)[0].items()}

    def video(self, path, file, media_type, syntax):
        sent = content_of(file)
        read = self.metadata(path)
        self.assertEqual((read['00280010'], read['00280011'], read['00280004'], read['00282110']), (240, 320, 'YBR_PARTIAL_420', '01'))
        reply, whole = self.ask('GET', path + '/rendered', headers={'Accept': media_type})
        self.assertEqual((reply.status, reply.getheader('Content-Type'), reply.getheader('Accept-Ranges')), (200, media_type, 'bytes'))
        self.assertEqual(whole[:len(sent)], sent)
        self.assertLessEqual(len(whole), len(sent) + 1)  # the padding of a fragment
        etag = reply.getheader('ETag')
        for asked, first, last in (('bytes=0-0', 0, 0), ('bytes=1000-4999', 1000, 4999), ('bytes=-100', len(whole) - 100, len(whole) - 1)):
            reply, part = self.ask('GET', path + '/rendered', headers={'Accept': media_type, 'Range': asked, 'If-Range': etag})
            self.assertEqual((reply.status, part), (206, whole[first:last + 1]))
            self.assertEqual(reply.getheader('Content-Range'), f'bytes {first}-{last}/{len(whole)}')
        self.assertEqual(self.ask('GET', path + '/rendered', headers={'Range': f'bytes={len(whole)}-'})[0].status, 416)
        self.assertEqual(self.ask('GET', path + '/rendered', headers={'Accept': 'image/png'})[0].status, 406)
        _, stored = self.ask('GET', path, headers={'Accept': 'application/dicom'})
        self.assertIn(syntax.encode(), stored[:1000])
        # A player, over HTTP.
        done = subprocess.run(['ffmpeg', '-v', 'error', '-i', f'http://127.0.0.1:{self.server.http}{path}/rendered', '-f', 'framemd5', '-'],
                              capture_output=True, text=True, timeout=60)
        there = subprocess.run(['ffmpeg', '-v', 'error', '-i', file, '-f', 'framemd5', '-'], capture_output=True, text=True, timeout=60)
        self.assertEqual(done.stdout, there.stdout, done.stderr)
        self.assertGreater(done.stdout.count('\n'), 20)

    @needs('ffmpeg')
    def test_h264(self):
        for name, more in (('plain.mp4', ()), ('fast.mp4', ('-movflags', '+faststart'))):
            file = self.ffmpeg(name, '-c:v', 'libx264', '-pix_fmt', 'yuv420p', *more)
            path = self.store(VL_VIDEO, 'video/mp4', [content_of(file)])
            self.assertEqual(int(self.metadata(path)['00280008']), 20, 'frames, as the container counts them')
            self.video(path, file, 'video/mp4', '1.2.840.10008.1.2.4.102')

    @needs('ffmpeg')
    def test_mpeg2(self):
        file = self.ffmpeg('video.mpg', '-c:v', 'mpeg2video', '-f', 'mpeg2video', source='testsrc=size=320x240:rate=25:duration=2')
        sent = content_of(file)
        self.store(VL_VIDEO, 'video/mpeg2', [sent], expect=409)  # the stream does not count its frames
        path = self.store(VL_VIDEO, 'video/mpeg2', [sent], attributes={'00280008': ('IS', [50])})
        self.video(path, file, 'video/mpeg2', '1.2.840.10008.1.2.4.100')
        self.store(VL_VIDEO, 'video/mpeg2', [sent], expect=409, attributes={'00280008': ('IS', [50]), '00280010': ('US', [480])})

    def picture(self, path, rows, columns):
        """What rendered gives is a picture that ffmpeg reads."""
        _, png = self.ask('GET', path + '/rendered', headers={'Accept': 'image/png'})
        file = os.path.join(self.workspace.path, 'rendered.png')
        with open(file, 'wb') as f:
            f.write(png)
        done = subprocess.run(['ffprobe', '-v', 'error', '-show_entries', 'stream=width,height', '-of', 'csv=p=0', file], capture_output=True, text=True, timeout=60)
        self.assertEqual(done.stdout.strip(), f'{columns},{rows}', done.stderr)

    @needs('ffmpeg', 'opj_compress')
    def test_pictures(self):
        jpeg = self.ffmpeg('one.jpg', '-frames:v', '1', '-pix_fmt', 'yuvj420p')
        ppm = self.ffmpeg('one.ppm', '-frames:v', '1')
        pgm = self.ffmpeg('one.pgm', '-frames:v', '1', '-pix_fmt', 'gray')
        jls = self.make('one.jls', 'ffmpeg', '-y', '-v', 'error', '-i', pgm, '-c:v', 'jpegls')
        j2k = self.make('one.j2k', 'opj_compress', '-i', ppm, '-o')
        jp2 = self.make('one.jp2', 'opj_compress', '-r', '20', '-I', '-i', ppm, '-o')
        for file, media_type, syntax, samples, photometric, lossy in (
                (jpeg, 'image/jpeg', '.50', 3, 'YBR_FULL_422', '01'), (jls, 'image/jls', '.80', 1, 'MONOCHROME2', None),
                (j2k, 'image/jp2', '.90', 3, 'YBR_RCT', None), (jp2, 'image/jp2', '.91', 3, 'YBR_ICT', '01')):
            with self.subTest(file=file):
                sent = content_of(file)
                path = self.store(VL_PHOTO, media_type, [sent])
                read = self.metadata(path)
                self.assertEqual((read['00280010'], read['00280011'], read['00280002'], read['00280004'], read.get('00282110')), (240, 320, samples, photometric, lossy))
                reply, frame = self.ask('GET', path + '/frames/1', headers={'Accept': media_type})
                self.assertEqual(reply.getheader('Content-Type'), f'{media_type}; transfer-syntax=1.2.840.10008.1.2.4{syntax}')
                self.assertIn(frame.rstrip(b'\0'), sent)  # of a JP2 file the codestream
                self.picture(path, 240, 320)
                self.store(VL_PHOTO, 'image/jpeg' if media_type != 'image/jpeg' else 'image/jls', [sent], expect=409)
                self.store(VL_PHOTO, media_type, [sent[:20]], expect=409)
                self.store(VL_PHOTO, media_type, [sent], expect=409, attributes={'00280011': ('US', [321])})

    @needs('ffmpeg')
    def test_frames_of_a_clip(self):
        pattern = os.path.join(self.workspace.path, 'clip%02d.jpg')
        subprocess.run(['ffmpeg', '-y', '-v', 'error', '-f', 'lavfi', '-i', 'testsrc=size=64x48:rate=10:duration=1', pattern], check=True, timeout=60)
        frames = [content_of(pattern % n) for n in range(1, 11)]
        path = self.store('1.2.840.10008.5.1.4.1.1.7.4', 'image/jpeg', frames, attributes={'00280008': ('IS', [10])})
        for n in (1, 5, 10):
            _, frame = self.ask('GET', f'{path}/frames/{n}', headers={'Accept': 'image/jpeg'})
            self.assertEqual(frame[:len(frames[n - 1])], frames[n - 1])
        self.store('1.2.840.10008.5.1.4.1.1.7.4', 'image/jpeg', frames[:9], expect=409, attributes={'00280008': ('IS', [10])})

    def test_documents(self):
        cda = b'<?xml version="1.0"?><ClinicalDocument xmlns="urn:hl7-org:v3"><title>x</title></ClinicalDocument>'
        stl = b'\0' * 80 + (1).to_bytes(4, 'little') + b'\0' * 50
        for sop_class, media_type, content in ((PDF, 'application/pdf', a_pdf()), (CDA, 'text/xml', cda), (STL, 'model/stl', stl), (PDF, 'application/pdf', a_pdf() + b' ' * 100_001)):
            path = self.store(sop_class, media_type, [content], element='00420011')
            self.assertEqual(self.metadata(path)['00420012'], media_type)
            reply, shown = self.ask('GET', path + '/rendered', headers={'Accept': media_type})
            self.assertEqual((reply.status, reply.getheader('Content-Type')), (200, media_type))
            self.assertEqual(shown, content)
            self.assertEqual(reply.getheader('Content-Security-Policy'), 'sandbox')
            self.assertEqual(self.ask('GET', path + '/rendered', headers={'Accept': 'image/png'})[0].status, 406)


if __name__ == '__main__':
    unittest.main(verbosity=2)
