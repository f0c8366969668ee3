#!/usr/bin/env python3
"""Retrieval while things change: studies removed, restored and stored while they are fetched by C-GET, C-MOVE and WADO-RS, requesters
that vanish or cancel, moves to nobody and to ourselves; and removal, restoration and ingest of the same instances at once, after which
the log says what the index says.
"""
import glob
import http.client
import json
import os
import re
import shutil
import struct
import subprocess
import sys
import threading
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'harness'))
import cairn_harness as h  # noqa: E402

SLICES = 150  # of generated CT, 79 MB
CT = b'1.2.840.10008.5.1.4.1.1.2'


def needs(program, package):
    return unittest.skipUnless(shutil.which(program), f'{program} (package {package}) is not installed')


def element(group, number, vr, value):
    value += (b'\0' if vr == b'UI' else b' ') * (len(value) % 2)
    head = struct.pack('<HH2s', group, number, vr)
    return head + (struct.pack('<HI', 0, len(value)) if vr == b'OW' else struct.pack('<H', len(value))) + value


def small_image(study, series, instance, content):
    """A Part 10 file whose UIDs say where it belongs and whose content has a number."""
    uid = f'1.9.{study}.{series}.{instance}'.encode()
    meta = element(2, 2, b'UI', CT) + element(2, 3, b'UI', uid) + element(2, 0x10, b'UI', b'1.2.840.10008.1.2.1')
    data = (element(8, 0x16, b'UI', CT) + element(8, 0x18, b'UI', uid) + element(8, 0x60, b'CS', b'CT') + element(0x10, 0x10, b'PN', b'Name^%d' % content)
            + element(0x10, 0x20, b'LO', b'P%d' % study) + element(0x20, 0xd, b'UI', b'1.9.%d' % study) + element(0x20, 0xe, b'UI', b'1.9.%d.%d' % (study, series))
            + element(0x20, 0x11, b'IS', b'%d' % series) + element(0x20, 0x13, b'IS', b'%d' % instance) + element(0x7fe0, 0x10, b'OW', bytes([content]) * 5000))
    return bytes(128) + b'DICM' + element(2, 0, b'UL', struct.pack('<I', len(meta))) + meta + data


class Changes(unittest.TestCase):
    def setUp(self):
        self.workspace = h.Workspace('changes')
        self.sink_port = h.free_port()
        self.sink = subprocess.Popen([h.cairn_load(), '--sink', str(self.sink_port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        remotes = [{'ae_title': 'SINK', 'host': '127.0.0.1', 'port': self.sink_port}, {'ae_title': 'AWAY', 'host': '127.0.0.1', 'port': h.free_port()}]
        self.server = h.Server(os.path.join(self.workspace.path, 'data'), {'dicom': {'remote': remotes}, 'store': {'segment_mib': 64, 'read_cache_mib': 64}},
                               work=self.workspace.path).start()

    def tearDown(self):
        self.sink.kill()
        self.sink.wait()
        if self.server.running():
            self.server.stop()
        self.workspace.__exit__(None, None, None)

    def store(self, *arguments):
        done = subprocess.run([h.cairn_load(), '--port', str(self.server.dicom), *arguments], capture_output=True, text=True, timeout=300)
        result = json.loads(done.stdout.strip().splitlines()[-1])
        self.assertEqual(result['failed'], 0, result)
        return result

    def ask(self, method, path):
        c = http.client.HTTPConnection('127.0.0.1', self.server.http, timeout=60)
        try:
            c.request(method, path)
            r = c.getresponse()
            return r.status, r.read()
        finally:
            c.close()

    def stack(self):
        """A series of CT; its study and the study's address."""
        self.store('--kind', 'ct', '--count', str(SLICES), '--window', '8')
        _, body = self.server.get('/dicom-web/studies', 'application/dicom+json')
        study = json.loads(body)[0]['0020000D']['Value'][0]
        return study, f'/dicom-web/studies/{study}'

    def command(self, program, study, *extra):
        to = ['-aem', 'SINK'] if program == 'movescu' else ['--ignore'] if program == 'getscu' else []
        return [program, '-d', '-S', '-aec', 'CAIRN', *to, *extra, '127.0.0.1', str(self.server.dicom), '-k', 'QueryRetrieveLevel=STUDY', '-k', f'StudyInstanceUID={study}']

    def outcome(self, text):
        """({completed, failed, …} of the final response, its status, the failed UIDs)."""
        final = text[max(text.rfind('Final Move Response'), text.rfind('INCOMING DIMSE MESSAGE')):]
        counts = {k.lower(): int(n) for k, n in re.findall(r'(Completed|Failed|Warning) Suboperations\s*: (\d+)', final)}
        status = re.findall(r'DIMSE Status\s*: (0x[0-9a-f]{4})', final)
        failed = re.search(r'\(0008,0058\) UI (?:\[([^\]]*)\]|(\S+))', final)
        return counts, status[-1] if status else None, (failed[1] or failed[2]).split('\\') if failed else []

    def quiet(self):
        """No association is left, and the server answers."""
        deadline = time.monotonic() + 30
        while (open_now := self.associations()) != 0:
            self.assertLess(time.monotonic(), deadline, f'{open_now} associations are left open\n{self.server.log_tail()}')
            time.sleep(.1)
        self.assertTrue(self.server.running(), self.server.log_tail())

    def associations(self):
        status, body = self.server.get('/metrics')
        self.assertEqual(status, 200)
        return int(float(re.search(rb'^cairn_associations (\S+)', body, re.M)[1]))

    @needs('movescu', 'dcmtk')
    def test_a_study_is_removed_while_it_is_fetched(self):
        study, path = self.stack()
        begun = time.monotonic()
        subprocess.run(self.command('movescu', study), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=120)
        whole = time.monotonic() - begun
        partial = 0
        for turn in range(12):
            program = ('movescu', 'getscu')[turn % 2]
            log = os.path.join(self.workspace.path, 'client.txt')
            with open(log, 'wb') as out:
                client = subprocess.Popen(self.command(program, study), stdout=out, stderr=out)
                time.sleep(whole * (turn // 2 + .5) / 6)
                status, body = self.ask('DELETE', path + '?only-copy=true')
                self.assertEqual(status, 200, body)
                client.wait(120)
            with open(log, errors='replace') as f:
                text = f.read()
            counts, status, failed = self.outcome(text)
            self.assertEqual(sum(counts.values()) % SLICES, 0, f'{program}: {counts}: neither all nor none are told of\n{text[-1500:]}')
            if counts.get('failed'):
                partial += 1
                self.assertIn(status, ('0xb000', '0xa702'), text[-1500:])
                if program == 'movescu':  # getscu 3.6.7 leaves the identifier of the final response unread
                    self.assertEqual(len(set(failed)), counts['failed'], text[-3000:])
            else:
                self.assertEqual(status, '0x0000', text[-1500:])
            restored, body = self.ask('POST', json.loads(body)['restore'])
            self.assertEqual(restored, 200, body)
        self.assertGreater(partial, 0, 'no removal came in the middle of a retrieve')
        self.quiet()

    def test_a_study_is_removed_while_it_is_fetched_over_http(self):
        study, path = self.stack()
        instances = whole = 0
        for turn in range(6):
            c = http.client.HTTPConnection('127.0.0.1', self.server.http, timeout=60)
            c.request('GET', path, headers={'Accept': h.STORED})
            r = c.getresponse()
            body = r.read(turn * 10_000_000 + 1)
            status, removed = self.ask('DELETE', path + '?only-copy=true')
            self.assertEqual(status, 200, removed)
            try:
                body += r.read()
            except http.client.IncompleteRead as cut:
                body += cut.partial
                body = body[:body.rfind(b'\r\n--')] + b'\r\n' + body[:200].split(b'\r\n')[1 if body.startswith(b'\r\n') else 0] + b'--'
            parts = h.parts(r.getheader('Content-Type'), body)
            c.close()
            instances += len(parts)
            whole += len(parts) == SLICES
            for part in parts:
                self.assertGreater(len(h.data_set_of(part)[1]), 500_000, 'an instance was cut')
            self.assertEqual(self.server.get(path, h.STORED)[0], 404, 'removed and still there')
            self.assertEqual(self.ask('POST', json.loads(removed)['restore'])[0], 200)
        self.assertGreater(instances, 0)
        self.assertEqual(self.server.get(path, h.STORED)[0], 200)

    @needs('movescu', 'dcmtk')
    def test_a_study_is_fetched_while_it_comes_in(self):
        self.store('--kind', 'ct', '--count', '20')
        _, body = self.server.get('/dicom-web/studies', 'application/dicom+json')
        study = json.loads(body)[0]['0020000D']['Value'][0]
        rest = subprocess.Popen([h.cairn_load(), '--port', str(self.server.dicom), '--kind', 'ct', '--first', '20', '--count', str(SLICES - 20), '--rate', '40'],
                                stdout=subprocess.PIPE, text=True)
        seen = [20]
        while rest.poll() is None or len(seen) < 3:
            done = subprocess.run(self.command('movescu', study), capture_output=True, text=True, errors='replace', timeout=120)
            counts, status, _ = self.outcome(done.stdout + done.stderr)
            self.assertEqual((status, counts.get('failed'), counts.get('warning')), ('0x0000', 0, 0), (done.stdout + done.stderr)[-1500:])
            self.assertGreaterEqual(counts['completed'], seen[-1], 'what was there is there no longer')
            seen.append(counts['completed'])
        self.assertEqual(json.loads(rest.communicate()[0].splitlines()[-1])['failed'], 0)
        done = subprocess.run(self.command('movescu', study), capture_output=True, text=True, errors='replace', timeout=120)
        self.assertEqual(self.outcome(done.stdout + done.stderr)[0]['completed'], SLICES)

    @needs('movescu', 'dcmtk')
    def test_moves_to_ourselves_to_nobody_and_to_one_who_is_away(self):
        study, _ = self.stack()
        for destination, status in (('CAIRN', '0xa801'), ('NOBODY', '0xa801'), ('', '0xa801'), ('A' * 16, '0xa801')):
            done = subprocess.run(self.command('movescu', study, '-aem', destination), capture_output=True, text=True, errors='replace', timeout=60)
            self.assertEqual(self.outcome(done.stdout + done.stderr)[1], status, (destination, done.stdout + done.stderr))
        # Cancelled while nobody is reached: it ends then, with nothing done.
        away = subprocess.Popen(self.command('movescu', study, '-aem', 'AWAY', '--cancel', '1'), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors='replace')
        text = away.communicate(timeout=120)[0]
        counts, status, _ = self.outcome(text)
        self.assertIn(status, ('0xfe00', '0xa702'), text[-2000:])
        self.assertEqual(counts.get('completed', 0), 0)
        self.quiet()

    @needs('movescu', 'dcmtk')
    def test_cancels(self):
        study, _ = self.stack()
        for after in (1, 5, SLICES - 2):
            done = subprocess.run(self.command('movescu', study, '--cancel', str(after)), capture_output=True, text=True, errors='replace', timeout=120)
            counts, status, _ = self.outcome(done.stdout + done.stderr)
            self.assertIn(status, ('0xfe00', '0x0000'), (done.stdout + done.stderr)[-1500:])
            self.assertEqual(counts['failed'], 0)
            self.assertGreaterEqual(counts['completed'], after)
        find = [a if a != 'QueryRetrieveLevel=STUDY' else 'QueryRetrieveLevel=IMAGE' for a in self.command('findscu', study, '--cancel', '1')]
        done = subprocess.run([*find, '-k', 'SOPInstanceUID'], capture_output=True, text=True, errors='replace', timeout=60)
        self.assertRegex(done.stdout + done.stderr, r'0xfe00|0x0000')
        self.quiet()

    @needs('getscu', 'dcmtk')
    def test_requesters_vanish(self):
        study, _ = self.stack()
        commands = [self.command('getscu', study), self.command('movescu', study)]
        find = [a if a != 'QueryRetrieveLevel=STUDY' else 'QueryRetrieveLevel=IMAGE' for a in self.command('findscu', study)]
        commands.append([*find, '-k', 'SOPInstanceUID', '-k', 'PatientName'])
        for turn in range(18):
            client = subprocess.Popen(commands[turn % 3], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            time.sleep(.02 * (turn // 3) + .01)
            client.kill()
            client.wait()
        self.quiet()
        done = subprocess.run(self.command('movescu', study), capture_output=True, text=True, errors='replace', timeout=120)
        self.assertEqual(self.outcome(done.stdout + done.stderr)[0]['completed'], SLICES)

    def test_removal_restoration_and_ingest_at_once(self):
        random, _ = h.seeded(None)
        files = []
        for study in (1, 2):
            for series in (1, 2):
                for instance in range(1, 7):
                    for content in (1, 2, 3):
                        files.append(os.path.join(self.workspace.path, f'{study}-{series}-{instance}-{content}.dcm'))
                        with open(files[-1], 'wb') as f:
                            f.write(small_image(study, series, instance, content))
        self.store(*files)
        until = time.monotonic() + 12
        faults, statuses = [], {}

        def ingest(mine):
            while time.monotonic() < until:
                mine.shuffle(order := list(files))
                done = subprocess.run([h.cairn_load(), '--port', str(self.server.dicom), '--associations', '3', *order], capture_output=True, text=True, timeout=120)
                result = json.loads(done.stdout.strip().splitlines()[-1])
                if result['failed']:
                    faults.append(f'store: {result}')

        def change(mine):
            while time.monotonic() < until:
                if mine.random() < .55:
                    study, series, instance = mine.choice((1, 2)), mine.choice((1, 2)), mine.randrange(1, 7)
                    depth = mine.choice((1, 2, 3))
                    path = f'/dicom-web/studies/1.9.{study}' + (f'/series/1.9.{study}.{series}' if depth > 1 else '') + (f'/instances/1.9.{study}.{series}.{instance}' if depth > 2 else '')
                    what, allowed = ('DELETE', path + '?only-copy=true'), (200, 404)
                else:
                    listed = json.loads(self.ask('GET', '/api/v1/removed?limit=50')[1])
                    if not listed:
                        continue
                    what, allowed = ('POST', f'/api/v1/removed/{mine.choice(listed)["removal"]}/restore'), (200, 404, 409)
                status, body = self.ask(*what)
                statuses[what[0], status] = statuses.get((what[0], status), 0) + 1
                if status not in allowed:
                    faults.append(f'{what}: {status} {body[:300]}')

        def read(mine):
            while time.monotonic() < until:
                study = mine.choice((1, 2))
                status, body = self.server.get(f'/dicom-web/studies/1.9.{study}', h.STORED)
                if status not in (200, 404):
                    faults.append(f'WADO-RS: {status} {body[:300]}')

        threads = [threading.Thread(target=work, args=(type(random)(random.randrange(1 << 30)),)) for work in (ingest, ingest, change, change, read)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        self.assertEqual(faults, [])
        h.log('answers:', {f'{m} {s}': n for (m, s), n in sorted(statuses.items())})
        self.assertGreater(statuses.get(('DELETE', 200), 0), 5)
        self.assertGreater(statuses.get(('POST', 200), 0), 5)
        # A crash now, and a new index from the log, say the same.
        self.server.kill()
        self.server.start()
        self.server.stop()
        code, text = self.server.command('verify')
        self.assertEqual(code, 0, text[-2000:])
        dumps = []
        for _ in range(2):
            code, text = self.server.command('dump-index')
            self.assertEqual(code, 0, text[-2000:])
            dumps.append(text)
            code, text = self.server.command('reindex')
            self.assertEqual(code, 0, text[-2000:])
        self.assertGreater(len(dumps[0]), 1000)
        self.assertTrue(dumps[0] == dumps[1], 'the index made anew differs')


if __name__ == '__main__':
    unittest.main(verbosity=2)
