#!/usr/bin/env python3
"""Flips bits in segments: `cairn verify` names each, and no altered instance is ever served as good.

    flipped_bits.py [--flips 12] [--seed N]

Part one: one bit at a time, anywhere in what was written of a segment: verify must end with status 1 and name a segment.
Part two: many bits at once, then a server: each instance is either served exactly or answered with an error.
"""
import argparse
import glob
import os
import re
import shutil
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..', 'harness'))
import cairn_harness as h  # noqa: E402

BLOCK = 4096


def segments(data):
    """What FORMAT.md calls segments; not the spare ones, which hold nothing yet."""
    return sorted(glob.glob(os.path.join(data, '**', 'seg-*.cairn'), recursive=True))


def written_blocks(path):
    """Numbers of the blocks that hold anything but zeros."""
    found = []
    with open(path, 'rb') as f:
        n = 0
        while block := f.read(BLOCK):
            if block.strip(b'\0'):
                found.append(n)
            n += 1
    return found


def flip(path, offset, bit):
    with open(path, 'r+b') as f:
        f.seek(offset)
        byte = f.read(1)[0]
        f.seek(offset)
        f.write(bytes([byte ^ (1 << bit)]))


def find(path, mark):
    with open(path, 'rb') as f:
        return f.read().find(mark)


def random_place(random, blocks):
    """A written byte: the place in a segment file that a flip hits, and a bit."""
    path, numbers = random.choice(blocks)
    return path, random.choice(numbers) * BLOCK + random.randrange(BLOCK), random.randrange(8)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('--flips', type=int, default=12)
    p.add_argument('--seed', type=int)
    a = p.parse_args()
    random, seed = h.seeded(a.seed)
    with h.Workspace('flip') as w:
        data = os.path.join(w.path, 'data')
        server = h.Server(data, {'store': {'segment_mib': 8, 'prewritten_mib': 16}}, work=w.path)
        w.later(server.kill)
        journal = h.Journal(os.path.join(w.path, 'journal'))
        server.start()
        for kind, count in (('ct', 40), ('mr', 60), ('tiny', 300)):
            result = h.Load(server, journal.path, kind, 4, count=count, seed=seed).wait()
            h.expect(result['stored'] == count, f'load: {result}')
        journal.read()
        server.stop()
        code, text = server.command('verify')
        h.expect(code == 0, f'verify finds fault with an untouched archive:\n{text[-2000:]}')

        blocks = [(f, n) for f in segments(data) if (n := written_blocks(f))]
        h.expect(blocks, f'no segment found under {data}')
        for n in range(a.flips):
            path, offset, bit = random_place(random, blocks)
            flip(path, offset, bit)
            code, text = server.command('verify')
            flip(path, offset, bit)
            h.expect(code == 1, f'verify ends with {code} after bit {bit} at {offset} of {path} was flipped:\n{text[-2000:]}')
            h.expect(re.search(r'segment\D{0,3}\d+', text), f'verify names no segment:\n{text[-2000:]}')
        code, text = server.command('verify')
        h.expect(code == 0, f'verify still finds fault after every bit was put back:\n{text[-2000:]}')
        h.log(f'{a.flips} single flips, each found and named')

        # The record of a removal: damaged it is named, by verify and by a server that makes its index anew from it.
        server.start()
        sop = random.choice(journal.acknowledged())
        study, series, *_ = journal.sent[sop]
        mark = f'mark{seed}'
        status, _ = server.ask('DELETE', f'/dicom-web/studies/{study}/series/{series}/instances/{sop}?only-copy=true&reason={mark}')
        h.expect(status == 200, f'removal: HTTP {status}')
        server.stop()
        places = [(path, at) for path in segments(data) if (at := find(path, mark.encode())) >= 0]
        h.expect(len(places) == 1, f'the removal is in {len(places)} segments')
        shutil.copytree(os.path.join(data, 'index'), os.path.join(w.path, 'index'))
        shutil.rmtree(os.path.join(data, 'index'))
        flip(*places[0], 3)
        code, text = server.command('verify')
        h.expect(code == 1 and 'event record' in text, f'verify ends with {code} after a removal was damaged:\n{text[-2000:]}')
        server.start()
        server.stop()
        h.expect('error damage' in server.log_tail(), f'the server lost a removal in silence:\n{server.log_tail()}')
        flip(*places[0], 3)
        shutil.rmtree(os.path.join(data, 'index'))
        shutil.copytree(os.path.join(w.path, 'index'), os.path.join(data, 'index'))
        server.start()
        status, _ = h.retrieve(server, study, series, sop)
        h.expect(status == 404, f'a removed instance answers HTTP {status} after damage that is no more')
        server.stop()
        del journal.answers[sop]
        h.log('a damaged removal is named')

        # One in four written blocks damaged: plenty of instances are hit, some are not.
        hit = 0
        for path, numbers in blocks:
            for number in random.sample(numbers, max(1, len(numbers) // 40)):
                flip(path, number * BLOCK + random.randrange(BLOCK), random.randrange(8))
                hit += 1
        server.start()
        good = refused = 0
        for sop in journal.acknowledged():
            fault = h.check_instance(server, journal, sop, True)
            if fault is None:
                good += 1
            else:
                h.expect('altered' not in fault, f'served as good: {fault}')
                refused += 1
        h.expect(server.running(), f'the server died of damaged data\n{server.log_tail()}')
        h.expect(refused > 0, f'{hit} blocks damaged and every instance served: nothing was tested')
        server.stop()
        h.log(f'{hit} blocks damaged: {good} instances served exactly, {refused} refused, none altered')


if __name__ == '__main__':
    main()
