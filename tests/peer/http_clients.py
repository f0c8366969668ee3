#!/usr/bin/env python3
"""Ordinary HTTP clients against the server: curl, nghttp, h2load and node over HTTP/1.1 and HTTP/2, with TLS and without;
unzip by Python; Debian's nginx in front with configs/nginx.conf. A program that is missing is a visible skip.
"""
import glob
import json
import os
import shutil
import subprocess
import sys
import time
import unittest
import zipfile
from pathlib import Path

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'harness'))
import cairn_harness as h  # noqa: E402

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..')
SERIES = 'volumes/ct-gantry-tilt-4/dicom'
NGINX = shutil.which('nginx', path=os.environ.get('PATH', '') + ':/usr/sbin')


@unittest.skipUnless(shutil.which('curl'), 'curl is not installed')
class HttpClients(unittest.TestCase):
    https = 0  # its port; 0: no certificate could be made

    @classmethod
    def setUpClass(cls):
        folder = h.data_folder()
        if folder is None:
            raise unittest.SkipTest('DICOM_TEST_DATA_DIR: no folder of real DICOM files')
        cls.workspace = h.Workspace('http')
        cls.key, cls.certificate = (os.path.join(cls.workspace.path, name) for name in ('key.pem', 'cert.pem'))
        settings = {}
        if shutil.which('openssl'):
            subprocess.run(['openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', cls.key, '-out', cls.certificate,
                            '-days', '2', '-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost'], check=True, capture_output=True)
            cls.https = h.free_port()
            settings = {'http': {'certificate': cls.certificate, 'key': cls.key, 'https_port': cls.https}}
        cls.server = h.Server(os.path.join(cls.workspace.path, 'data'), settings, work=cls.workspace.path).start()
        cls.files = sorted(f for f in glob.glob(os.path.join(folder, SERIES, '*')) if os.path.isfile(f))
        cls.front = None

    @classmethod
    def tearDownClass(cls):
        if cls.front:
            cls.front.terminate()
            cls.front.wait(20)
        cls.server.stop()
        cls.workspace.__exit__(None, None, None)

    def curl(self, *arguments, seconds=120):
        done = subprocess.run(['curl', '-sS', *arguments], capture_output=True, timeout=seconds)
        self.assertEqual(done.returncode, 0, done.stderr.decode(errors='replace'))
        self.assertTrue(self.server.running(), self.server.log_tail())
        return done.stdout

    def base(self):
        return f'http://127.0.0.1:{self.server.http}'

    def multipart(self):
        path = os.path.join(self.workspace.path, 'body')
        with open(path, 'wb') as out:
            for file in self.files:
                with open(file, 'rb') as f:
                    out.write(b'--xyz\r\nContent-Type: application/dicom\r\n\r\n' + f.read() + b'\r\n')
            out.write(b'--xyz--\r\n')
        return path

    def store(self, base, *more):
        text = self.curl(*more, '-H', 'Content-Type: multipart/related; type="application/dicom"; boundary=xyz', '-H', 'Accept: application/dicom+json',
                         '-H', 'Transfer-Encoding: chunked', '--data-binary', '@' + self.multipart(), base + '/dicom-web/studies')
        response = json.loads(text)
        self.assertEqual(len(response['00081199']['Value']), len(self.files), text[:500])
        self.assertNotIn('00081198', response)
        return response

    def test_curl_stores_and_gets_a_zip_and_a_picture(self):
        study = self.store(self.base())['00081190']['Value'][0]
        self.assertTrue(study.startswith(self.base()), study)
        archive = os.path.join(self.workspace.path, 'study.zip')
        self.curl('-H', 'Accept: application/zip', '-o', archive, study)
        with zipfile.ZipFile(archive) as z:
            self.assertIsNone(z.testzip())
            stored = {z.read(name) for name in z.namelist()}
        self.assertEqual(stored, {Path(f).read_bytes() for f in self.files})
        self.assertTrue(self.curl(study + '/thumbnail').startswith(b'\xff\xd8'))
        plain = self.curl(study + '/metadata')
        self.assertEqual(self.curl('--compressed', study + '/metadata'), plain)

    def doors(self):
        """(base, options of curl) of each way in."""
        yield self.base(), ('--http1.1',)
        yield self.base(), ('--http2-prior-knowledge',)
        if self.https:
            yield f'https://localhost:{self.https}', ('--cacert', self.certificate, '--http1.1')
            yield f'https://localhost:{self.https}', ('--cacert', self.certificate, '--http2')

    def test_every_door_leads_to_the_same(self):
        seen = set()
        for base, options in self.doors():
            with self.subTest(base=base, options=options):
                study = self.store(base, *options, '-H', 'Expect: 100-continue')['00081190']['Value'][0]
                self.assertTrue(study.startswith(base), study)
                wanted = b'2' if '--http2' in options[-1] else b'1.1'
                self.assertEqual(self.curl(*options, '-o', '/dev/null', '-w', '%{http_version}', study + '/metadata'), wanted)
                plain = self.curl(*options, study + '/metadata')
                self.assertEqual(self.curl(*options, '--compressed', study + '/metadata'), plain)
                instances = json.loads(self.curl(*options, study + '/instances'))
                target = min(i['00081190']['Value'][0] for i in instances) + '/frames/1'
                frame = self.curl(*options, '-H', 'Accept: application/octet-stream', target)
                part = self.curl(*options, '-H', 'Accept: application/octet-stream', '-r', '1000-1999', '-w', '%{http_code}', target)
                self.assertEqual(part, frame[1000:2000] + b'206')
                head = self.curl(*options, '-I', '-H', 'Accept: application/octet-stream', target).decode().lower()
                self.assertIn(f'content-length: {len(frame)}', head)
                etag = next(line.split(': ')[1] for line in head.split('\r\n') if line.startswith('etag: '))
                self.assertEqual(self.curl(*options, '-H', 'Accept: application/octet-stream', '-H', f'If-None-Match: {etag}', '-w', '%{http_code}', target), b'304')
                path = os.path.join(self.workspace.path, 'study.zip')
                self.curl(*options, '-H', 'Accept: application/zip', '-o', path, study)
                with zipfile.ZipFile(path) as z:
                    self.assertIsNone(z.testzip())
                seen.add(frame)
        self.assertEqual(len(seen), 1)

    def frames(self):
        study = self.store(self.base())['00081190']['Value'][0]
        return [i['00081190']['Value'][0].replace(self.base(), '') + '/frames/1' for i in json.loads(self.curl(study + '/instances'))]

    @unittest.skipUnless(shutil.which('h2load') and shutil.which('nghttp'), 'nghttp2-client is not installed')
    def test_h2load_and_nghttp_get_frames_over_http2(self):
        targets = self.frames()
        for base in {base for base, _ in self.doors()}:
            listed = os.path.join(self.workspace.path, 'targets')
            Path(listed).write_text(''.join(base + t + '\n' for t in targets))
            for windows in ((), ('-w', '10', '-W', '10'), ('-w', '24', '-W', '26')):
                done = subprocess.run(['h2load', '-n', '600', '-c', '4', '-m', '50', *windows, '-H', 'accept: application/octet-stream', '-i', listed],
                                      capture_output=True, text=True, timeout=120)
                self.assertIn('600 succeeded, 0 failed, 0 errored, 0 timeout', done.stdout, done.stdout + done.stderr)
                self.assertIn('status codes: 600 2xx', done.stdout)
            done = subprocess.run(['nghttp', '-ns', '--no-verify-peer', '-H', 'accept: application/octet-stream', *[base + t for t in targets]],
                                  capture_output=True, text=True, timeout=120)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertEqual(len([line for line in done.stdout.split('\n') if ' 200 ' in line]), len(targets), done.stdout)

    @unittest.skipUnless(shutil.which('node'), 'node is not installed')
    def test_node_gets_frames_stores_and_is_told_to_go(self):
        targets = self.frames()
        script = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'http2_client.cjs')
        for base in {base for base, _ in self.doors()}:
            done = subprocess.run(['node', script, base, self.multipart(), *targets], capture_output=True, text=True, timeout=120,
                                  env={**os.environ, 'NODE_EXTRA_CA_CERTS': self.certificate if self.https else ''})
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        # The last stays open over the end of the server, which drains it.
        with subprocess.Popen(['node', script, '--hold', self.base()], stdout=subprocess.PIPE, text=True) as held:
            self.assertEqual(held.stdout.readline(), 'open\n')
            began = time.monotonic()
            self.server.stop()
            self.assertLess(time.monotonic() - began, 20)
            said = held.stdout.read().split()
            self.assertEqual(said[0] + said[1] + said[-1], 'goaway0closed', said)
            self.assertEqual(held.wait(20), 0)
        self.server.start()

    @unittest.skipUnless(shutil.which('curl'), 'curl is not installed')
    def test_clients_that_vanish_leave_nothing_behind(self):
        study = self.store(self.base())['00081190']['Value'][0]
        for _, options in self.doors():
            for _ in range(5):
                # A ZIP at a trickle, cut after a moment.
                one = subprocess.Popen(['curl', '-s', *options, '--limit-rate', '1k', '-H', 'Accept: application/zip', '-o', '/dev/null', study])
                time.sleep(.1)
                one.kill()
                one.wait()
        until = time.monotonic() + 20
        while True:
            metrics = self.curl(self.base() + '/metrics').decode()
            if all(line in metrics for line in ('cairn_http2_streams 0\n', 'cairn_http2_connections 0\n', 'cairn_http_stream_held_bytes 0\n')):
                break
            self.assertLess(time.monotonic(), until, metrics)
            time.sleep(.2)

    def start_front(self):
        folder = os.path.join(self.workspace.path, 'nginx')
        os.makedirs(folder)
        key, certificate = self.key, self.certificate
        port = h.free_port()
        with open(os.path.join(ROOT, 'configs', 'nginx.conf')) as f:
            text = f.read()
        for ours, theirs in (('127.0.0.1:8080', f'127.0.0.1:{self.server.http}'), ('listen 443', f'listen 127.0.0.1:{port}'),
                             ('/etc/ssl/certs/cairn.pem', certificate), ('/etc/ssl/private/cairn.key', key), ('pacs.example', 'localhost')):
            self.assertIn(ours, text)
            text = text.replace(ours, theirs)
        config = os.path.join(folder, 'nginx.conf')
        with open(config, 'w') as f:
            user = 'user root;\n' if os.geteuid() == 0 else ''
            temporary = ''.join(f'{kind}_temp_path {folder}/{kind};\n' for kind in ('client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'))
            f.write(f'{user}daemon off;\npid {folder}/pid;\nerror_log {folder}/error.log;\nevents {{}}\nhttp {{\naccess_log off;\n{temporary}{text}}}\n')
        type(self).front = subprocess.Popen([NGINX, '-c', config, '-p', folder])
        base = f'https://localhost:{port}'
        until = time.monotonic() + 20
        while subprocess.run(['curl', '-sf', '--cacert', certificate, base + '/healthz'], capture_output=True).returncode != 0:
            self.assertLess(time.monotonic(), until, 'nginx did not start')
            time.sleep(.1)
        return base, certificate

    @unittest.skipUnless(NGINX and shutil.which('openssl'), 'nginx or openssl is not installed')
    def test_nginx_in_front_gives_https_and_http2(self):
        base, certificate = self.start_front()
        trust = ('--cacert', certificate, '--http2')
        study = self.store(base, *trust)['00081190']['Value'][0]
        self.assertTrue(study.startswith(base), f'{study}: links name the address that the client used')
        version = self.curl(*trust, '-o', '/dev/null', '-w', '%{http_version}', study + '/metadata')
        self.assertEqual(version, b'2')
        instances = json.loads(self.curl(*trust, study + '/instances'))
        targets = [i['00081190']['Value'][0] + '/frames/1' for i in instances] * 30
        # Many frames at once over one connection.
        sizes = self.curl(*trust, '-Z', '--parallel-max', '100', '-H', 'Accept: application/octet-stream', '-w', '%{http_code} %{size_download}\\n',
                          *[word for target in targets for word in ('-o', '/dev/null', target)])
        lines = sizes.decode().split('\n')[:-1]
        self.assertEqual(len(lines), len(targets))
        self.assertEqual(len(set(lines)), 1, 'frames differ')
        self.assertTrue(lines[0].startswith('200 '), lines[0])
        for target in ('/metrics', '/api/v1/stats'):
            code = self.curl(*trust, '-o', '/dev/null', '-w', '%{http_code}', base + target)
            self.assertEqual(code, b'403', target)


if __name__ == '__main__':
    if h.data_folder() is None:
        h.skip('DICOM_TEST_DATA_DIR: no folder of real DICOM files')
    unittest.main()
