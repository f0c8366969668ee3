#!/usr/bin/env python3
"""The index is deleted, truncated, or replaced by an older copy: the server opens and answers as before.

    lost_index.py [--seed N]

"As before" is judged by `cairn dump-index` (every key and value), by fetching instances, and by what was removed and restored.
"""
import argparse
import os
import shutil
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..', 'harness'))
import cairn_harness as h  # noqa: E402
import removals  # noqa: E402


def dump(server):
    code, text = server.command('dump-index')
    h.expect(code == 0, f'dump-index: exit status {code}\n{text[-2000:]}')
    return text


def answers_right(server, removing, before, random, what):
    server.start()
    known = removing.journal.acknowledged()
    faults = removing.check(random.sample(known, min(300, len(known))))
    h.expect(not faults, f'{what}:\n' + '\n'.join(faults[:10]))
    server.stop()
    after = dump(server)
    h.expect(after == before, f'{what}: the index differs from the one before ({len(before)} and {len(after)} bytes of dump)')
    h.log(f'{what}: opens in {server.starts[-1]:.2f} s and answers right')


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('--seed', type=int)
    a = p.parse_args()
    random, seed = h.seeded(a.seed)
    with h.Workspace('index') as w:
        data = os.path.join(w.path, 'data')
        server = h.Server(data, work=w.path)
        w.later(server.kill)
        journal = h.Journal(os.path.join(w.path, 'journal'))
        removing = removals.Removals(server, journal, random)
        server.start()
        for kind, count in (('ct', 60), ('tiny', 3000)):
            h.expect(h.Load(server, journal.path, kind, 4, count=count, seed=seed).wait()['stored'] == count, 'load')
        for _ in range(40):
            removing.step()
        server.stop()
        index = os.path.join(data, 'index')
        h.expect(os.path.isdir(index), f'no index below {data}')
        older = os.path.join(w.path, 'older_index')
        shutil.copytree(index, older)

        server.start()
        for kind, count in (('mr', 100), ('tiny', 3000)):
            h.expect(h.Load(server, journal.path, kind, 4, count=count, seed=seed + 1).wait()['stored'] == count, 'load')
        for _ in range(40):
            removing.step()
        server.stop()
        h.expect(any(r['restored'] for r in removing.removals), 'nothing was restored')
        before = dump(server)
        h.expect(len(before) > 1000, 'dump-index prints next to nothing')

        shutil.rmtree(index)
        answers_right(server, removing, before, random, 'index deleted')

        shutil.rmtree(index)
        shutil.copytree(older, index)
        answers_right(server, removing, before, random, 'index replaced by an older copy')

        for suffix in ('.sst', 'CURRENT', 'MANIFEST'):
            cut = 0
            for name in os.listdir(index):
                path = os.path.join(index, name)
                if (name.endswith(suffix) or name.startswith(suffix)) and os.path.isfile(path):
                    os.truncate(path, os.path.getsize(path) // 2)
                    cut += 1
            h.expect(cut, f'nothing in the index is called {suffix}')
            answers_right(server, removing, before, random, f'{cut} {suffix} files of the index cut in half')

        code, text = server.command('reindex')
        h.expect(code == 0, f'reindex: exit status {code}\n{text[-2000:]}')
        h.expect(dump(server) == before, 'reindex gives another index')
        h.log(f'reindex gives the same index; {removing.summary()}')


if __name__ == '__main__':
    main()
