#!/usr/bin/env python3
"""The change feed is followed while instances come in, are removed and restored, and the server is killed.

    follow.py [--rounds N] [--seed N]

The follower waits on the server (long poll), and after each kill goes on at its position. It must be told of every
acknowledged instance, removal and restoration, of each change once, in order; a rebuilt index must tell the same again.
"""
import argparse
import http.client
import json
import os
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..', 'harness'))
import cairn_harness as h  # noqa: E402


class Follower:
    def __init__(self):
        self.changes, self.next, self.faults = [], 0, []

    def take(self, body):
        answer = json.loads(body)
        for change in answer['changes']:
            if change['position'] <= self.next:
                self.faults.append(f'position {change["position"]} after {self.next}')
            self.next = change['position']
            self.changes.append(change)
        if not self.next <= answer['next'] <= answer['last']:
            self.faults.append(f'next {answer["next"]}, last {answer["last"]} after {self.next}')
        self.next = answer['next']
        return self.next == answer['last']

    def follow(self, server):
        """Until the server is gone."""
        while True:
            status, body = server.get(f'/api/v1/changes?wait=30&limit=500&since={self.next}')
            if status != 200:
                if status:
                    self.faults.append(f'HTTP {status}: {body[:200]}')
                return
            self.take(body)

    def read_all(self, server):
        while True:
            status, body = server.get(f'/api/v1/changes?limit=777&since={self.next}')
            h.expect(status == 200, f'HTTP {status}: {body[:200]}')
            if self.take(body):
                return


def request(server, method, path):
    """The body of an answer 200; None else, or when the server is gone."""
    try:
        c = http.client.HTTPConnection('127.0.0.1', server.http, timeout=30)
        c.request(method, path)
        r = c.getresponse()
        body = r.read()
        c.close()
        return json.loads(body) if r.status == 200 else None
    except (OSError, http.client.HTTPException, ValueError):
        return None


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('--rounds', type=int, default=4)
    p.add_argument('--seed', type=int)
    a = p.parse_args()
    random, seed = h.seeded(a.seed)
    with h.Workspace('follow') as w:
        server = h.Server(os.path.join(w.path, 'data'), work=w.path)
        w.later(server.kill)
        journal = h.Journal(os.path.join(w.path, 'journal'))
        follower = Follower()
        removed, restored = set(), set()
        for number in range(a.rounds):
            server.start()
            thread = threading.Thread(target=follower.follow, args=(server,))
            thread.start()
            load = h.Load(server, journal.path, 'tiny', 4, seconds=60, seed=seed + number, rate=1500)
            ends = time.monotonic() + 2 + 2 * random.random()
            studies = []
            while time.monotonic() < ends:
                time.sleep(.05)
                studies += [journal.sent[sop][0] for sop in journal.read()]
                if not studies:
                    continue
                done = request(server, 'DELETE', f'/dicom-web/studies/{random.choice(studies)}?only-copy=true')
                if done:
                    removed.add(done['removal'])
                    if random.random() < .5 and request(server, 'POST', f'/api/v1/removed/{done["removal"]}/restore'):
                        restored.add(done['removal'])
            server.kill()
            load.process.kill()
            load.wait()
            thread.join()
            journal.read()
            h.log(f'round {number}: {len(follower.changes)} changes, at {follower.next}')

        server.start()
        follower.read_all(server)
        h.expect(not follower.faults, '\n'.join(follower.faults[:10]))
        told = [c['sop_instance_uid'] for c in follower.changes if c['kind'] == 'stored']
        missing = set(journal.acknowledged()) - set(told)
        h.expect(not missing, f'{len(missing)} acknowledged instances are in no change, such as {sorted(missing)[:3]}')
        unsent = set(told) - set(journal.sent)
        h.expect(not unsent, f'changes tell of what nobody sent: {sorted(unsent)[:3]}')
        positions = {c['position'] for c in follower.changes if c['kind'] == 'removed'}
        h.expect(removed <= positions, f'acknowledged removals are in no change: {sorted(removed - positions)[:3]}')
        undone = {c['subject'] for c in follower.changes if c['kind'] == 'restored'}
        h.expect(restored <= undone, f'acknowledged restorations are in no change: {sorted(restored - undone)[:3]}')
        h.expect(removed and restored, 'nothing was removed and restored')
        server.stop()

        code, text = server.command('reindex')
        h.expect(code == 0, f'reindex: exit status {code}\n{text[-2000:]}')
        server.start()
        again = Follower()
        again.read_all(server)
        h.expect(again.changes == follower.changes,
                 f'a rebuilt index tells {len(again.changes)} changes, the follower was told {len(follower.changes)}')
        server.stop()
        h.log(f'{len(told)} stored, {len(removed)} removed, {len(restored)} restored: each told once, and the same again')


if __name__ == '__main__':
    main()
