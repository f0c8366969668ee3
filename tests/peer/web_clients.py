#!/usr/bin/env python3
"""DICOMweb by other people's software: dicomweb-client and dcmjs from npm store, search and retrieve; and what QIDO-RS and metadata say
is what Orthanc's DICOMweb says of the same files, where the standard leaves no freedom.
"""
import glob
import http.client
import json
import os
import shutil
import subprocess
import sys
import time
import unittest
import urllib.request

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'harness'))
import cairn_harness as h  # noqa: E402
from real_data import can_be_filed, meta_of  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
STACK = 'volumes/ct-head-phantom-gantry-tilt/dicom'
PLUGIN = '/usr/share/orthanc/plugins/libOrthancDicomWeb.so'


def plain(value):
    """As a person compares values: numbers by what they are, text without padding, an empty value as none."""
    if isinstance(value, list):
        return [v for v in (plain(v) for v in value) if v not in (None, '')]
    if isinstance(value, dict):
        groups = {k: v for k, v in value.items() if k in ('Alphabetic', 'Ideographic', 'Phonetic')}
        return {k: v.rstrip('^ ') for k, v in groups.items() if v.strip('^ ')} if groups else value
    if isinstance(value, str):
        value = value.strip(' \0')
        try:
            return float(value)
        except ValueError:
            return value
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else value


class WebClients(unittest.TestCase):
    def setUp(self):
        self.folder = h.data_folder()
        if self.folder is None:
            self.skipTest('DICOM_TEST_DATA_DIR: no folder of real DICOM files')
        self.workspace = h.Workspace('web_clients')
        self.server = h.Server(os.path.join(self.workspace.path, 'data'), work=self.workspace.path).start()
        self.files = sorted(f for f in glob.glob(os.path.join(self.folder, STACK, '*')) if os.path.isfile(f))

    def tearDown(self):
        self.server.stop()
        self.workspace.__exit__(None, None, None)

    @unittest.skipUnless(shutil.which('node') and os.path.isdir(os.path.join(HERE, 'web_clients', 'node_modules')),
                         'node, or the packages of tests/peer/web_clients (npm ci), are not installed')
    def test_dicomweb_client_and_dcmjs(self):
        compressed = [f for f in glob.glob(os.path.join(self.folder, 'syntaxes/ct-one-image-all-syntaxes/*')) if 'jpegls' in f and 'near' not in f]
        self.assertTrue(compressed)
        done = subprocess.run(['node', os.path.join(HERE, 'web_clients', 'client.cjs'), f'http://127.0.0.1:{self.server.http}/dicom-web', *self.files, compressed[0]],
                              capture_output=True, text=True, timeout=300)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr + self.server.log_tail())
        self.assertEqual(done.stdout.count(': ok'), 6, done.stdout)

    def ask(self, port, path, body=None, headers={}):
        connection = http.client.HTTPConnection('127.0.0.1', port, timeout=120)
        try:
            connection.request('GET' if body is None else 'POST', path, body, {'Accept': 'application/dicom+json', **headers})
            reply = connection.getresponse()
            text = reply.read()
            self.assertLess(reply.status, 300, (path, text[:500]))
            return json.loads(text or b'null')
        finally:
            connection.close()

    @unittest.skipUnless(shutil.which('Orthanc') and os.path.exists(PLUGIN), 'Orthanc (packages orthanc, orthanc-dicomweb) is not installed')
    def test_orthanc_says_the_same(self):
        folder, port = os.path.join(self.workspace.path, 'orthanc'), h.free_port()
        os.makedirs(folder)
        config = os.path.join(folder, 'orthanc.json')
        with open(config, 'w') as f:
            json.dump({'Name': 'peer', 'DicomServerEnabled': False, 'HttpPort': port, 'RemoteAccessAllowed': False, 'AuthenticationEnabled': False, 'StorageDirectory': folder,
                       'IndexDirectory': folder, 'Plugins': [PLUGIN], 'DicomWeb': {'Enable': True, 'Root': '/dicom-web/', 'StudiesMetadata': 'Full', 'SeriesMetadata': 'Full'}}, f)
        process = subprocess.Popen(['Orthanc', config], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            deadline = time.monotonic() + 30
            while True:
                try:
                    urllib.request.urlopen(f'http://127.0.0.1:{port}/system', timeout=5).close()
                    break
                except OSError:
                    self.assertLess(time.monotonic(), deadline, 'Orthanc does not start')
                    time.sleep(.2)
            body = b''
            # Some files have the UID of another one.
            others = [f for kind in ('us', 'rt') for f in sorted(glob.glob(os.path.join(self.folder, 'modalities', kind, '*.dcm')))]
            names = list({meta.sop: f for f in others if (meta := meta_of(f)) and can_be_filed(meta)}.values())[:8]
            for path in self.files[:12] + names:
                with open(path, 'rb') as f:
                    body += b'\r\n--bnd\r\nContent-Type: application/dicom\r\n\r\n' + f.read()
            headers = {'Content-Type': 'multipart/related; type="application/dicom"; boundary=bnd'}
            for server in (self.server.http, port):
                stored = self.ask(server, '/dicom-web/studies', body + b'\r\n--bnd--\r\n', headers)
                self.assertNotIn('00081198', {k for k, v in stored.items() if v.get('Value')})
            self.compare(self.server.http, port)
        finally:
            process.terminate()
            process.wait()

    def compare(self, ours, theirs):
        """Which studies, series and instances a query finds, the attributes that PS3.18 §10.6.3 requires, and all of the metadata."""
        def by(items, tag):
            return {i[tag]['Value'][0]: i for i in items}

        required = {'0020000D': ['00080020', '00080030', '00080050', '00080061', '00100010', '00100020', '00100030', '00100040', '0020000D', '00200010', '00201206', '00201208'],
                    '0020000E': ['00080060', '0020000E', '00200011', '00201209'],
                    '00080018': ['00080016', '00080018', '00200013', '00280010', '00280011', '00280100']}
        compared = 0
        study_uids = by(self.ask(theirs, '/dicom-web/studies'), '0020000D')
        queries = [('/dicom-web/studies', '0020000D'), ('/dicom-web/series', '0020000E')]
        for uid in study_uids:
            queries += [(f'/dicom-web/studies?StudyInstanceUID={uid}', '0020000D'), (f'/dicom-web/studies/{uid}/series', '0020000E'), (f'/dicom-web/studies/{uid}/instances', '00080018')]
        for query, tag in queries:
            a, b = by(self.ask(ours, query), tag), by(self.ask(theirs, query), tag)
            a = {k: v for k, v in a.items() if k in b or '?' in query or query.count('/') > 2}
            self.assertEqual(set(a), set(b), query)
            for uid, item in a.items():
                for attribute in required[tag]:
                    if not b[uid].get(attribute, {}).get('Value'):
                        continue  # Orthanc does not know it
                    self.assertEqual(plain(item.get(attribute, {}).get('Value')), plain(b[uid][attribute]['Value']), (query, uid, attribute))
                    compared += 1
        self.assertGreater(compared, 150)
        compared = 0
        for study in study_uids:
            a, b = (by(self.ask(server, f'/dicom-web/studies/{study}/metadata'), '00080018') for server in (ours, theirs))
            self.assertEqual(set(a), set(b))
            for uid, item in b.items():
                for attribute, element in item.items():
                    if attribute in ('00080005', '00081190') or attribute.endswith('0000') or int(attribute[:4], 16) % 2:
                        continue  # ours is UTF-8 and says so; private attributes depend on dictionaries
                    self.assertIn(attribute, a[uid], (uid, attribute))
                    self.assertEqual(a[uid][attribute]['vr'], element['vr'], (uid, attribute))
                    if element['vr'] in ('SQ', 'OB', 'OW', 'UN') or 'Value' not in element:
                        continue
                    self.assertEqual(plain(a[uid][attribute].get('Value', [])), plain(element['Value']), (uid, attribute))
                    compared += 1
        self.assertGreater(compared, 800)
        print(f'{compared} attributes of metadata are the same')


if __name__ == '__main__':
    unittest.main(verbosity=2)
