#!/usr/bin/env python3
"""Ordinary HTTP clients against the server: curl, unzip by Python, and Debian's nginx in front with configs/nginx.conf.
A program that is missing is a visible skip.
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
    @classmethod
    def setUpClass(cls):
        folder = h.data_folder()
        if folder is None:
            raise unittest.SkipTest('DICOM_TEST_DATA_DIR: no folder of real DICOM files')
        cls.workspace = h.Workspace('http')
        cls.server = h.Server(os.path.join(cls.workspace.path, 'data'), work=cls.workspace.path).start()
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

    def start_front(self):
        folder = os.path.join(self.workspace.path, 'nginx')
        os.makedirs(folder)
        key, certificate = os.path.join(folder, 'key.pem'), os.path.join(folder, 'cert.pem')
        subprocess.run(['openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', key, '-out', certificate,
                        '-days', '2', '-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost'], check=True, capture_output=True)
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
