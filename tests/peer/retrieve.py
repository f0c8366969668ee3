#!/usr/bin/env python3
"""Queries and retrieval by ordinary clients: DCMTK's getscu, movescu and findscu, GDCM, odil, Orthanc as one that queries, as a destination,
and as one that answers the same of the same files; and every name of the character set files as a person types it, in UTF-8 and in the
character set of the file. A client that is missing is a visible skip.
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
import warnings
import urllib.parse
import urllib.request

import pydicom

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'harness'))
import cairn_harness as h  # noqa: E402
from real_data import can_be_filed, find, meta_of  # noqa: E402

STACK = 'volumes/ct-head-phantom-gantry-tilt/dicom'
KEYS = ('-k', 'QueryRetrieveLevel=STUDY', '-k')
warnings.filterwarnings('ignore', module='pydicom')

# C-GET by odil's library: its program needs SOP Classes in Study to be answered.
ODIL_GET = '''
import sys
import odil
port, study, *classes = sys.argv[1:]
get, syntaxes = odil.registry.StudyRootQueryRetrieveInformationModelGet, [odil.registry.ImplicitVRLittleEndian, odil.registry.ExplicitVRLittleEndian]
context = odil.AssociationParameters.PresentationContext
association = odil.Association()
association.set_peer_host("127.0.0.1")
association.set_peer_port(int(port))
association.update_parameters().set_calling_ae_title("ODIL").set_called_ae_title("CAIRN").set_presentation_contexts(
    [context(1, get, syntaxes, context.Role.SCU)] + [context(3 + 2 * i, c, syntaxes, context.Role.SCP) for i, c in enumerate(classes)])
association.associate()
scu = odil.GetSCU(association)
scu.set_affected_sop_class(get)
keys = odil.DataSet()
keys.add(odil.registry.QueryRetrieveLevel, ["STUDY"])
keys.add(odil.registry.StudyInstanceUID, [study])
for found in scu.get(keys):
    print(found.as_string(odil.registry.SOPInstanceUID)[0].decode(), len(found.as_binary(odil.registry.PixelData)[0]))
association.release()
'''


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

    def metric(self, line):
        status, body = self.server.get('/metrics')
        self.assertEqual(status, 200)
        return float(re.search(rb'^' + re.escape(line.encode()) + rb' (\S+)', body, re.M)[1])

    def found(self, *keys, port=None, called='CAIRN', root='-S'):
        """The identifiers that a C-FIND by findscu brings, read by pydicom; keys may be bytes."""
        folder = os.path.join(self.workspace.path, 'responses')
        shutil.rmtree(folder, ignore_errors=True)
        os.makedirs(folder)
        keys = [part for key in keys for part in ('-k', key)]
        code, text = self.client('findscu', root, '-X', '-od', folder, '-aec', called, '127.0.0.1', str(port or self.server.dicom), *keys)
        self.assertEqual(code, 0, text)
        return [pydicom.dcmread(f, force=True) for f in sorted(glob.glob(os.path.join(folder, '*')))]

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

    @needs('gdcmscu', 'libgdcm-tools')
    def test_gdcm_finds_and_moves(self):
        """It aborts when it is done and prints nothing (as against any server): what it was answered is counted here."""
        matches, moved = 'cairn_c_find_matches_total', 'cairn_sub_operations_total{result="completed"}'
        before = self.metric(matches)
        self.client('gdcmscu', '--find', '--studyroot', '--study', '--call', 'CAIRN', '127.0.0.1', str(self.server.dicom), '--key', f'20,d={self.study}', '--key', '10,20=')
        self.assertEqual(self.metric(matches), before + 1)
        self.client('gdcmscu', '--find', '--patientroot', '--patient', '--call', 'CAIRN', '127.0.0.1', str(self.server.dicom), '--key', '10,20=', '--key', '10,10=*')
        self.assertGreater(self.metric(matches), before + 8)
        folder, before = self.fresh('gdcm'), self.metric(moved)
        receiver = subprocess.Popen(['storescp', '+B', '--fork', '-od', folder, '-aet', 'STORESCP', str(self.scp)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            time.sleep(.5)
            # Its own receiver reads Implicit VR Little Endian only, and once: it asks in the name of another.
            mover = subprocess.Popen(['gdcmscu', '--move', '--studyroot', '--study', '--call', 'CAIRN', '--aetitle', 'STORESCP', '--port-scp', str(h.free_port()), '-o', folder,
                                      '127.0.0.1', str(self.server.dicom), '--key', f'20,d={self.study}'], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            deadline = time.monotonic() + 60
            while self.metric(moved) < before + len(self.files) and time.monotonic() < deadline:
                time.sleep(.2)
            mover.kill()
            mover.wait()
            self.assert_all_there(folder)
        finally:
            receiver.kill()
            receiver.wait()

    @needs('odil', 'odil')
    def test_odil_finds_and_gets(self):
        code, text = self.client('odil', 'find', '127.0.0.1', str(self.server.dicom), 'ODIL', 'CAIRN', 'patient', 'QueryRetrieveLevel=PATIENT', 'PatientID=', 'PatientName=')
        self.assertEqual(code, 0, text)
        for name in self.expected_names().values():
            self.assertIn(name.split('=')[0].split('\\')[0], text)
        classes = sorted({meta_of(f).sop_class for f in self.files})
        done = subprocess.run([sys.executable, '-c', ODIL_GET, str(self.server.dicom), self.study, *classes], capture_output=True, text=True, timeout=120)
        if 'No module named' in done.stderr:
            self.skipTest('python3-odil is not installed')
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual({line.split()[0] for line in done.stdout.splitlines()}, {meta_of(f).sop for f in self.files})
        self.assertGreater(min(int(line.split()[1]) for line in done.stdout.splitlines()), 10_000)

    @needs('Orthanc', 'orthanc')
    def test_orthanc_answers_the_same(self):
        """C-FIND at all levels, by every kind of key that leaves no freedom, on the same files."""
        folder, port, http = self.fresh('orthanc_scp'), h.free_port(), h.free_port()
        config = os.path.join(folder, 'orthanc.json')
        with open(config, 'w') as f:
            json.dump({'Name': 'peer', 'DicomAet': 'ORTHANC', 'DicomPort': port, 'HttpPort': http, 'StorageDirectory': folder, 'IndexDirectory': folder, 'Plugins': [], 'CaseSensitivePN': False,
                       'DicomAlwaysAllowStore': True, 'DicomAlwaysAllowFind': True, 'RemoteAccessAllowed': False}, f)
        process = subprocess.Popen(['Orthanc', config], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        second = h.Server(os.path.join(folder, 'data'), work=folder).start()
        try:
            deadline = time.monotonic() + 30
            while self.client('echoscu', '-aec', 'ORTHANC', '127.0.0.1', str(port))[0] != 0:
                self.assertLess(time.monotonic(), deadline, 'Orthanc does not start')
                time.sleep(.2)
            others = [f for kind in ('us', 'rt') for f in sorted(glob.glob(os.path.join(self.folder, 'modalities', kind, '*.dcm')))]
            files = self.files[:10] + list({m.sop: f for f in others if (m := meta_of(f)) and can_be_filed(m) and not m.contradicts}.values())[:8]
            for called, to in (('ORTHANC', port), ('CAIRN', second.dicom)):
                done = subprocess.run([h.cairn_load(), '--port', str(to), '--called', called, *files], capture_output=True, text=True, timeout=120)
                self.assertEqual(json.loads(done.stdout.strip().splitlines()[-1])['failed'], 0, done.stdout)
            self.compare(second.dicom, port, [pydicom.dcmread(f, stop_before_pixels=True, force=True) for f in files])
        finally:
            second.stop()
            process.terminate()
            process.wait()

    def compare(self, ours, theirs, headers):
        patient, study = ['PatientName', 'PatientID', 'PatientBirthDate', 'PatientSex'], ['StudyInstanceUID', 'StudyDate', 'StudyTime', 'AccessionNumber', 'StudyID']
        series, image = ['SeriesInstanceUID', 'Modality', 'SeriesNumber'], ['SOPInstanceUID', 'SOPClassUID', 'InstanceNumber']
        counts = ['NumberOfStudyRelatedSeries', 'NumberOfStudyRelatedInstances', 'ModalitiesInStudy']
        asked = []
        of = {name: sorted({str(d.get(name, '')) for d in headers} - {''}) for name in patient + study + series + image}
        asked += [('-P', 'PATIENT', patient, [f'PatientID={v}']) for v in of['PatientID']] + [('-P', 'PATIENT', patient, [])]
        asked += [('-P', 'STUDY', study, [f'PatientID={v}']) for v in of['PatientID']]
        for root in ('-S', '-P'):
            asked.append((root, 'STUDY', study + (patient if root == '-S' else []) + counts, []))
        for name in ('StudyInstanceUID', 'StudyDate', 'AccessionNumber', 'PatientID'):
            asked += [('-S', 'STUDY', study + patient, [f'{name}={v}']) for v in of[name]]
        asked += [('-S', 'STUDY', study + patient, [k]) for k in ('StudyInstanceUID=' + '\\'.join(of['StudyInstanceUID'][:3]), f'StudyDate={of["StudyDate"][0]}-{of["StudyDate"][-1]}',
                                                                f'StudyDate={of["StudyDate"][-1]}-', f'StudyDate=-{of["StudyDate"][0]}', 'StudyDate=19000101-19000102',
                                                                f'PatientID={of["PatientID"][0][:2]}*', f'PatientID=?{of["PatientID"][0][1:]}', f'PatientName={of["PatientName"][0][:3].lower()}*',
                                                                'ModalitiesInStudy=US', 'ModalitiesInStudy=CT\\US', 'PatientID=no such patient')]
        for uid in of['StudyInstanceUID']:
            asked.append(('-S', 'SERIES', series + ['NumberOfSeriesRelatedInstances'], [f'StudyInstanceUID={uid}']))
            asked.append(('-S', 'SERIES', series, [f'StudyInstanceUID={uid}', 'Modality=CT']))
        for d in {d.SeriesInstanceUID: d for d in headers}.values():
            place = [f'StudyInstanceUID={d.StudyInstanceUID}', f'SeriesInstanceUID={d.SeriesInstanceUID}']
            asked += [('-S', 'IMAGE', image, place), ('-S', 'IMAGE', image, [*place, f'SOPInstanceUID={d.SOPInstanceUID}'])]

        def text(d, name):
            value = d.get(name)
            if name == 'ModalitiesInStudy':
                return sorted(value if isinstance(value, pydicom.multival.MultiValue) else [value])
            return '' if value is None else str(value).rstrip('^= ').strip()
        values = 0
        for root, level, returns, keys in asked:
            plain = [r for r in returns if not any(k.startswith(r + '=') for k in keys)]
            query = [f'QueryRetrieveLevel={level}', *keys, *plain]
            unique = {'PATIENT': 'PatientID', 'STUDY': 'StudyInstanceUID', 'SERIES': 'SeriesInstanceUID', 'IMAGE': 'SOPInstanceUID'}[level]
            a, b = ({text(d, unique): d for d in self.found(*query, port=p, called=c, root=root)} for p, c in ((ours, 'CAIRN'), (theirs, 'ORTHANC')))
            self.assertEqual(set(a), set(b), (root, query))
            for uid, match in b.items():
                for name in returns:
                    if text(match, name):
                        self.assertEqual(text(a[uid], name), text(match, name), (root, query, uid, name))
                        values += 1
        print(f'{len(asked)} queries, {values} values are the same')
        self.assertGreater(values, 200)

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
                for group in (g.split('\\')[0].strip() for g in name.split('=') if g.strip('^ ')):
                    found = {d.StudyInstanceUID: d for d in self.found('SpecificCharacterSet=ISO_IR 192', 'QueryRetrieveLevel=STUDY', 'StudyInstanceUID', f'PatientName={group}')}
                    self.assertIn(study, found, group)
                    self.assertEqual(str(found[study].PatientName).rstrip('='), name.split('\\')[0].rstrip('= '))

    @needs('findscu', 'dcmtk')
    def test_findscu_finds_each_name_in_its_own_character_set(self):
        """What a requester of that country types: the bytes and the Specific Character Set of the file."""
        with open(os.path.join(self.folder, 'charsets', 'EXPECTED.tsv'), encoding='utf-8') as f:
            rows = {r['file']: r for r in csv.DictReader(f, delimiter='\t')}
        for file, name in self.expected_names().items():
            with self.subTest(file):
                study, _ = find(self.server, meta_of(os.path.join(self.folder, 'charsets', file)).sop)
                charset, raw = rows[file]['specific_character_set'], bytes.fromhex(rows[file]['raw_bytes_hex']).rstrip()
                query = [f'SpecificCharacterSet={charset}', 'QueryRetrieveLevel=STUDY', 'StudyInstanceUID']
                for typed in (raw, raw[:raw.index(b'^') + 1] + b'*' if b'^' in raw else raw[:3] + b'*'):
                    found = {d.StudyInstanceUID: d for d in self.found(*query, b'PatientName=' + typed)}
                    self.assertIn(study, found, typed)
                    match = found[study]
                    said = match.get('SpecificCharacterSet', '')
                    self.assertEqual('\\'.join(said) if not isinstance(said, str) else said, charset, 'answered in the character set of the request')
                    self.assertEqual(str(match.PatientName).rstrip('='), name.split('\\')[0].rstrip('= '))
        # A requester whose character set has no such letters is answered in UTF-8.
        greek, _ = find(self.server, meta_of(os.path.join(self.folder, 'charsets', 'chrGreek.dcm')).sop)
        for charset in ('ISO_IR 100', 'ISO_IR 6', 'no character set', '\\ISO 2022 IR 149'):
            match = self.found(f'SpecificCharacterSet={charset}', 'QueryRetrieveLevel=STUDY', f'StudyInstanceUID={greek}', 'PatientName')[0]
            self.assertIn(match.SpecificCharacterSet, ('ISO_IR 192', ['', 'ISO 2022 IR 149']))
            self.assertEqual(str(match.PatientName), self.expected_names()['chrGreek.dcm'])


if __name__ == '__main__':
    unittest.main(verbosity=2)
