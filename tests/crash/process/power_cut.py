#!/usr/bin/env python3
"""The power fails under load, in two models of a disk; after it all that was acknowledged is there bit for bit, and all that was removed
or restored beside it is so still.

    power_cut.py --disk ext4       a loop-mounted ext4, stopped by its shutdown ioctl without flushing its journal
    power_cut.py --disk forgetful  a FUSE layer that forgets what was not flushed
    power_cut.py --disk forgetful --lie none|late --expect-loss
                                   the same against a server whose flushes do nothing, or happen after the answer: the test
                                   must notice. Shows that it can fail.
    [--rounds 3] [--seed N] [--io ring|plain]
"""
import argparse
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..', 'harness'))
import cairn_harness as h  # noqa: E402
import removals  # noqa: E402

LOADS = (('ct', 4, 1), ('mr', 8, 1), ('tiny', 8, 8))


class Ext4:
    def __init__(self, w):
        self.mount = h.LoopMount(w.path, 1536)
        w.later(self.mount.remove)
        self.path = self.mount.path

    def cut(self, server):
        self.mount.power_cut()
        server.kill()
        self.mount.unmount()
        self.mount.mount()


class Forgetful:
    def __init__(self, w):
        self.mount = h.ForgetfulMount(w.path, os.environ.get('CAIRN_FORGETFUL_FS'))
        w.later(self.mount.remove)
        self.path = self.mount.path

    def cut(self, server):
        # The process may not flush between: it stops first.
        server.kill()
        self.mount.say('forget')


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('--disk', choices=('ext4', 'forgetful'), required=True)
    p.add_argument('--rounds', type=int, default=3)
    p.add_argument('--seed', type=int)
    p.add_argument('--io', default='ring')
    p.add_argument('--lie', choices=('none', 'late'))
    p.add_argument('--expect-loss', action='store_true')
    a = p.parse_args()
    random, seed = h.seeded(a.seed)
    environment = {}
    if a.lie:
        library = os.environ.get('CAIRN_LYING_FLUSH_LIBRARY')
        if not library:
            sys.exit('CAIRN_LYING_FLUSH_LIBRARY is not set')
        a.io = 'plain'  # a ring's flushes do not pass through libc
        environment = {'LD_PRELOAD': library, 'CAIRN_LYING_FLUSH': a.lie}
    lost = []
    with h.Workspace('power') as w:
        disk = (Ext4 if a.disk == 'ext4' else Forgetful)(w)
        server = h.Server(os.path.join(disk.path, 'data'),
                          {'store': {'io': a.io, 'segment_mib': 16, 'prewritten_mib': 32}, 'index': {'unpersisted_records': 500, 'unpersisted_mib': 1}},
                          work=w.path, environment=environment)
        w.later(server.kill)
        journal = h.Journal(os.path.join(w.path, 'journal'))
        removing = removals.Removals(server, journal, random)
        for n in range(a.rounds):
            try:
                server.start()
            except h.Failure as fault:
                if not a.expect_loss:
                    raise
                lost.append(f'the server does not start: {str(fault).splitlines()[0]}')
                break
            if n > 0:
                faults = removing.check()
                h.log(f'round {n}: {len(journal.acknowledged())} acknowledged so far, {len(faults)} faults')
                lost += faults
                if lost:
                    break
            kind, associations, window = LOADS[n % len(LOADS)]
            load = h.Load(server, journal.path, kind, associations, window, seconds=20, seed=seed + n, rate=0)
            wait = random.uniform(.3, 1.5)
            removing.start()
            time.sleep(wait)
            disk.cut(server)
            load.wait()
            removing.stop()
        else:
            try:
                server.start()
                lost += removing.check()
                server.stop()
                code, text = server.command('verify')
                if code != 0:
                    lost.append(f'verify: exit status {code}\n{text[-2000:]}')
            except h.Failure as fault:
                if not a.expect_loss:
                    raise
                lost.append(str(fault).splitlines()[0])
        h.expect(len(journal.acknowledged()) >= 20, f'hardly anything was acknowledged: nothing was tested\n{server.log_tail()}')
        if a.expect_loss:
            h.expect(lost, f'flushes lied ({a.lie}) and the test saw nothing of it')
            h.report(lost, 3)
            h.log('the loss was noticed, as it must be')
        else:
            h.expect(not lost, '\n'.join(lost[:10]))
            h.expect(removing.removals, 'nothing was removed')
            h.log(f'{a.rounds} power cuts, {len(journal.acknowledged())} acknowledged, none lost; {removing.summary()}')


if __name__ == '__main__':
    main()
