#!/usr/bin/env python3
"""Everything at once on the same few studies: stores of the same instances again and again, removals and restorations of them by several
callers, readers of series as ZIP and of metadata; then kill -9.

    removal_races.py [--rounds 3] [--seed N]

No answer is an error of the server's; a ZIP is whole or ends broken, and holds each instance bit for bit; after the kill the index is what
`cairn reindex` makes of the log, key by key; every instance can be had again: what is removed is listed, and when all is restored all is there.
"""
import argparse
import hashlib
import http.client
import io
import json
import os
import random as randoms
import sys
import threading
import time
import zipfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..', 'harness'))
import cairn_harness as h  # noqa: E402


class Crowd:
    """Threads that ask until told to stop. Whatever must not be is in `faults`."""

    def __init__(self, server, sent, random):
        self.server, self.sent, self.faults, self.counts = server, sent, [], {}
        self.halt, self.killed = threading.Event(), False
        work = [self.remove] * 3 + [self.restore] * 2 + [self.read_zip, self.read_metadata]
        self.threads = [threading.Thread(target=self.run, args=(w, randoms.Random(random.random()))) for w in work]
        for thread in self.threads:
            thread.start()

    def stop(self):
        self.halt.set()
        for thread in self.threads:
            thread.join()

    def run(self, work, random):
        while not self.halt.is_set():
            try:
                work(random)
            except (OSError, http.client.HTTPException):
                if not self.killed:
                    self.faults.append('a connection broke while the server ran')
                return
            except Exception as fault:  # told by the main thread
                self.faults.append(repr(fault))
                return

    def ask(self, method, path, accept='*/*'):
        c = http.client.HTTPConnection('127.0.0.1', self.server.http, timeout=60)
        try:
            c.request(method, path, headers={'Accept': accept})
            reply = c.getresponse()
            body = reply.read()
            key = f'{method} {reply.status}'
            self.counts[key] = self.counts.get(key, 0) + 1
            if reply.status not in (200, 404, 409):
                self.faults.append(f'{method} {path}: HTTP {reply.status} {body[:200]}')
            return reply.status, body
        finally:
            c.close()

    def place(self, random, depth):
        sop = random.choice(list(self.sent))
        return '/dicom-web' + ''.join(f'/{level}/{uid}' for level, uid in list(zip(('studies', 'series', 'instances'), (*self.sent[sop][:2], sop)))[:depth])

    def remove(self, random):
        self.ask('DELETE', self.place(random, random.choice((1, 2, 3, 3, 3, 3))) + '?only-copy=true')

    def restore(self, random):
        _, body = self.ask('GET', '/api/v1/removed?limit=20')
        listed = json.loads(body)
        if listed:
            self.ask('POST', f'/api/v1/removed/{random.choice(listed)["removal"]}/restore')

    def read_metadata(self, random):
        self.ask('GET', self.place(random, random.choice((1, 2, 3))) + '/metadata', 'application/dicom+json')

    def read_zip(self, random):
        try:
            status, body = self.ask('GET', self.place(random, 2), 'application/zip')
        except http.client.IncompleteRead:
            return  # broken off, and seen to be
        if status != 200:
            return
        with zipfile.ZipFile(io.BytesIO(body)) as z:
            for name in z.namelist():
                _, data = h.data_set_of(z.read(name))
                if hashlib.sha256(data).hexdigest() not in {sent[4] for sent in self.sent.values()}:
                    self.faults.append(f'{name} of a ZIP is not what was stored')


def dump(server):
    code, text = server.command('dump-index')
    h.expect(code == 0, f'dump-index: exit status {code}\n{text[-2000:]}')
    return text


def restore_all(server):
    """Newest first, until nothing is listed."""
    while True:
        status, body = server.get('/api/v1/removed?limit=1000')
        h.expect(status == 200, f'/api/v1/removed: HTTP {status}')
        listed = json.loads(body)
        if not listed:
            return
        for removal in listed:
            status, body = server.ask('POST', f'/api/v1/removed/{removal["removal"]}/restore')
            h.expect(status == 200, f'restoring {removal}: HTTP {status} {body[:300]}')


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('--rounds', type=int, default=3)
    p.add_argument('--seed', type=int)
    a = p.parse_args()
    random, seed = h.seeded(a.seed)
    with h.Workspace('races') as w:
        server = h.Server(os.path.join(w.path, 'data'), {'index': {'unpersisted_records': 300, 'unpersisted_mib': 1}}, work=w.path)
        w.later(server.kill)
        journal = h.Journal(os.path.join(w.path, 'journal'))
        server.start()
        load = {'kind': 'mr', 'associations': 3, 'seed': seed, 'count': 90}
        h.expect(h.Load(server, journal.path, **load).wait()['stored'] == 90, 'load')
        journal.read()
        for n in range(a.rounds):
            crowd = Crowd(server, journal.sent, random)
            end = time.monotonic() + random.uniform(1, 4)
            while time.monotonic() < end:
                result = h.Load(server, os.path.join(w.path, 'again'), **load).wait()
                h.expect(result['stored'] == 90, f'stores beside removals: {result}')
            last = n + 1 == a.rounds
            if not last:
                crowd.killed = True
                server.kill()
            crowd.stop()
            h.expect(not crowd.faults, '\n'.join(crowd.faults[:10]) + server.log_tail(5))
            if last:
                server.stop()
            else:
                server.start()
                server.stop()
            before = dump(server)
            code, text = server.command('reindex')
            h.expect(code == 0, f'reindex: exit status {code}\n{text[-2000:]}')
            after = dump(server)
            if before != after:
                for name, content in (('before', before), ('after', after)):
                    with open(os.path.join(w.path, name), 'w') as f:
                        f.write(content)
            h.expect(before == after, 'reindex gives another index: compare `before` and `after`')
            code, text = server.command('verify')
            h.expect(code == 0, f'verify: exit status {code}\n{text[-2000:]}')
            server.start()
            h.log(f'round {n + 1}: {crowd.counts}')
        restore_all(server)
        faults = h.check(server, journal)
        h.expect(not faults, '\n'.join(faults[:10]))
        server.stop()


if __name__ == '__main__':
    main()
