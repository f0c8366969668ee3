#!/usr/bin/env python3
"""Queries and retrieval by ordinary clients: DCMTK's getscu, movescu and findscu, Orthanc as one that queries and as a destination,
and every name of the character set files as a person types it. A client that is missing is a visible skip.
"""
import csv
import glob
import json
import os
import re
import shutil
import subprocess
import sys
import time
import unittest
import urllib.parse
import urllib.request

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'harness'))
import cairn_harness as h  # noqa: E402
from real_data import can_be_filed, find, meta_of  # noqa: E402

STACK = 'volumes/ct-head-phantom-gantry-tilt/dicom'
KEYS = ('-k', 'QueryRetrieveLevel=STUDY', '-k')


def needs(program, package):
    return unittest.skipUnless(shutil.which(program), f'{program} (package {package}) is not installed')


class Retrieve(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = h.data_folder()
        if cls.folder is None:
            raise unittest.SkipTest('DICOM_TEST_DATA_DIR: no folder of real DICOM files')
        cls.workspace = h.Workspace('retrieve')
        cls.scp, cls.orthanc = h.free_port(), h.free_port()
        remotes = [{'ae_title': 'STORESCP', 'host': '127.0.0.1', 'port': cls.scp},
                   {'ae_title': 'ORTHANC', 'host': '127.0.0.1', 'port': cls.orthanc}]
        cls.server = h.Server(os.path.join(cls.workspace.path, 'data'), {'dicom': {'remote': remotes}}, work=cls.workspace.path).start()
        cls.files = sorted(f for f in glob.glob(os.path.join(cls.folder, STACK, '*')) if os.path.isfile(f))
        cls.names = [f for f in sorted(glob.glob(os.path.join(cls.folder, 'charsets', '*.dcm'))) if (m := meta_of(f)) and can_be_filed(m) and not m.contradicts]
        done = subprocess.run([h.cairn_load(), '--port', str(cls.server.dicom), *cls.files, *cls.names], capture_output=True, text=True, timeout=120)
        result = json.loads(done.stdout.strip().splitlines()[-1])
        h.expect(result['failed'] == 0, f'store: {result}')
        cls.study, cls.series = find(cls.server, meta_of(cls.files[0]).sop)

    @classmethod
    def tearDownClass(cls):
        cls.server.stop()
        cls.workspace.__exit__(None, None, None)

    def fresh(self, name):
        folder = os.path.join(self.workspace.path, name)
        os.makedirs(folder)
        return folder

    def client(self, *command, seconds=120):
        done = subprocess.run(command, capture_output=True, text=True, errors='replace', timeout=seconds)
        self.assertTrue(self.server.running(), f'{command[0]} killed the server\n{self.server.log_tail()}')
        return done.returncode, done.stdout + done.stderr

    def assert_all_there(self, folder):
        """Each file of the stack came, its data set byte for byte."""
        def data_set(path):
            with open(path, 'rb') as f:
                return h.data_set_of(f.read())
        got = {data_set(f) for f in glob.glob(os.path.join(folder, '*'))}
        self.assertEqual(len(got), len(self.files))
        self.assertEqual({data_set(f) for f in self.files}, got)

    @needs('getscu', 'dcmtk')
    def test_dcmtk_get(self):
        folder = self.fresh('got')
        code, text = self.client('getscu', '+B', '-S', '-aec', 'CAIRN', '-od', folder, '127.0.0.1', str(self.server.dicom), *KEYS, f'StudyInstanceUID={self.study}')
        self.assertEqual(code, 0, text)
        self.assert_all_there(folder)

    @needs('movescu', 'dcmtk')
    def test_dcmtk_move(self):
        folder = self.fresh('moved')
        receiver = subprocess.Popen(['storescp', '+B', '--fork', '-od', folder, '-aet', 'STORESCP', str(self.scp)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            time.sleep(.5)
            code, text = self.client('movescu', '-S', '-aec', 'CAIRN', '-aem', 'STORESCP', '127.0.0.1', str(self.server.dicom), *KEYS, f'StudyInstanceUID={self.study}')
            self.assertEqual(code, 0, text)
            self.assert_all_there(folder)
        finally:
            receiver.kill()
            receiver.wait()
        code, text = self.client('movescu', '-v', '-S', '-aec', 'CAIRN', '-aem', 'NOBODY', '127.0.0.1', str(self.server.dicom), *KEYS, f'StudyInstanceUID={self.study}')
        self.assertNotEqual(code, 0, 'a move to nobody is a success')
        self.assertRegex(text, '(?i)a801|unknown', text[-500:])

    @needs('Orthanc', 'orthanc')
    def test_orthanc_queries_and_fetches(self):
        folder, http = self.fresh('orthanc'), h.free_port()
        config = os.path.join(folder, 'orthanc.json')
        with open(config, 'w') as f:
            json.dump({'Name': 'peer', 'DicomAet': 'ORTHANC', 'DicomPort': self.orthanc, 'HttpPort': http, 'RemoteAccessAllowed': False, 'AuthenticationEnabled': False,
                       'StorageDirectory': folder, 'IndexDirectory': folder, 'DicomAlwaysAllowStore': True, 'Plugins': [],
                       'DicomModalities': {'cairn': ['CAIRN', '127.0.0.1', self.server.dicom]}}, f)
        process = subprocess.Popen(['Orthanc', config], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

        def ask(path, body=None):
            request = urllib.request.Request(f'http://127.0.0.1:{http}{path}', data=None if body is None else json.dumps(body).encode())
            with urllib.request.urlopen(request, timeout=60) as reply:
                return json.loads(reply.read() or b'null')
        try:
            deadline = time.monotonic() + 30
            while True:
                try:
                    ask('/system')
                    break
                except OSError:
                    self.assertLess(time.monotonic(), deadline, 'Orthanc does not start')
                    time.sleep(.2)
            query = ask('/modalities/cairn/query', {'Level': 'Study', 'Query': {'StudyInstanceUID': self.study, 'PatientID': ''}})['ID']
            self.assertEqual(len(ask(f'/queries/{query}/answers')), 1)
            ask(f'/queries/{query}/answers/0/retrieve', {'TargetAet': 'ORTHANC', 'Synchronous': True})
            self.assertEqual(ask('/statistics')['CountInstances'], len(self.files))
            # And back: what Orthanc sends is there already.
            held = json.loads(self.server.get('/api/v1/stats')[1])['counts']['instances']
            ask('/modalities/cairn/store', {'Resources': ask('/studies'), 'Synchronous': True})
            self.assertEqual(json.loads(self.server.get('/api/v1/stats')[1])['counts']['instances'], held)
            self.commitments(ask)
        finally:
            process.terminate()
            process.wait()

    def commitments(self, ask):
        """Orthanc asks for storage commitment, and is told on an association of ours; also by a server that was killed meanwhile."""
        references = [[meta_of(f).sop_class, meta_of(f).sop] for f in self.files]

        def asked(wanted):
            return ask('/modalities/cairn/storage-commitment', {'DicomInstances': wanted})['ID']

        def told(ident):
            deadline = time.monotonic() + 30
            while (report := ask(f'/storage-commitment/{ident}'))['Status'] == 'Pending':
                self.assertLess(time.monotonic(), deadline, f'no report\n{self.server.log_tail()}')
                time.sleep(.1)
            return report
        report = told(asked(references))
        self.assertEqual((report['Status'], len(report['Success']), report['Failures']), ('Success', len(references), []))
        report = told(asked(references[:1] + [[references[0][0], '1.2.3.4.5'], ['1.2.840.10008.5.1.4.1.1.7', references[1][1]]]))
        self.assertEqual((report['Status'], len(report['Success'])), ('Failure', 1))
        self.assertEqual({f['SOPInstanceUID']: f['FailureReason'] for f in report['Failures']}, {'1.2.3.4.5': 0x0112, references[1][1]: 0x0119})
        ident = asked(references)
        self.server.kill()
        self.server.start()
        self.assertEqual(told(ident)['Status'], 'Success')

    def test_conformance_statement(self):
        """The running server's has its own routes and settings; what it says of storage is what an association is granted."""
        status, served = self.server.get('/api/v1/conformance')
        self.assertEqual(status, 200)
        served = served.decode()
        for said in ('`/dicom-web/studies/{study}/series/{series}/instances/{instance}/frames/{frames}` | GET', '1.2.840.10008.1.20.1 |', '`ISO 2022 IR 87`',
                     'PatientName', '| AE title | `CAIRN` |'):
            self.assertIn(said, served)
        code, printed = self.client(h.cairn(), 'conformance')
        self.assertEqual(code, 0, printed)
        self.assertEqual(printed.split('## DICOMweb')[0].split('## Associations')[0], served.split('## DICOMweb')[0].split('## Associations')[0])

    def expected_names(self):
        """{file name: the name as a person reads it}, for those where Patient's Name has it."""
        with open(os.path.join(self.folder, 'charsets', 'EXPECTED.tsv'), encoding='utf-8') as f:
            rows = [r for r in csv.DictReader(f, delimiter='\t') if r['where_the_name_is'] == '(0010,0010)' and r['name_by_pydicom_2.3.1']]
        held = {os.path.basename(f) for f in self.names}
        rows = [r for r in rows if r['file'] in held]
        self.assertGreater(len(rows), 8)
        return {r['file']: r['name_by_pydicom_2.3.1'] for r in rows}

    def test_each_name_is_found_as_it_is_typed(self):
        for file, name in self.expected_names().items():
            with self.subTest(file):
                study, _ = find(self.server, meta_of(os.path.join(self.folder, 'charsets', file)).sop)
                for group in (g for g in name.split('=') if g.strip('^ ')):
                    typed = urllib.parse.quote(group.split('\\')[0].strip())
                    status, body = self.server.get(f'/dicom-web/studies?PatientName={typed}&limit=100', 'application/dicom+json')
                    self.assertEqual(status, 200, body[:300])
                    found = [s['0020000D']['Value'][0] for s in json.loads(body or b'[]')]
                    self.assertIn(study, found, f'{group!r} by QIDO-RS')
                status, body = self.server.get(f'/dicom-web/studies?StudyInstanceUID={study}', 'application/dicom+json')
                answered = json.loads(body)[0]['00100010']['Value'][0]
                self.assertEqual('='.join(answered.get(g, '') for g in ('Alphabetic', 'Ideographic', 'Phonetic')).rstrip('='), name.split('\\')[0].strip())

    @needs('findscu', 'dcmtk')
    def test_findscu_finds_each_name_in_utf8(self):
        for file, name in self.expected_names().items():
            with self.subTest(file):
                study, _ = find(self.server, meta_of(os.path.join(self.folder, 'charsets', file)).sop)
                typed = name.split('=')[0].split('\\')[0].strip()
                code, text = self.client('findscu', '-S', '-aec', 'CAIRN', '-k', 'SpecificCharacterSet=ISO_IR 192', '-k', 'QueryRetrieveLevel=STUDY',
                                         '-k', 'StudyInstanceUID', '-k', f'PatientName={typed}', '127.0.0.1', str(self.server.dicom))
                self.assertEqual(code, 0, text)
                self.assertIn(study, text, typed)
                self.assertIn(typed.encode(), text.encode(errors='surrogateescape'), 'the name comes back')


if __name__ == '__main__':
    unittest.main(verbosity=2)
