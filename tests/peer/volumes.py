#!/usr/bin/env python3
"""Every series below volumes/ as the server sees it: regular stacks have the geometry of reference.json, irregular ones
are reported as odd, and each volume gives a picture of the size asked for.

The reference was made with other software. Where it has a NIfTI file too, ours (volume.nii.gz) must have the same voxels
at the same places, whatever the order of rows and slices in the two.
"""
import collections
import glob
import gzip
import json
import os
import re
import struct
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'harness'))
import cairn_harness as h  # noqa: E402
import png  # noqa: E402
from real_data import can_be_filed, files_of, find, meta_of  # noqa: E402


def close(a, b, tolerance):
    return abs(a - b) <= tolerance


def compare(name, stack, report):
    """Faults of one series that is one regular stack in the reference."""
    faults = []
    volumes = report.get('volumes', [])
    if len(volumes) != 1:
        return [f'{name}: one regular stack, reported as {len(volumes)} volumes: {report.get("oddities", "")}']
    v = volumes[0]
    distances = stack['distances_mm']
    spacing = sum(distances) / len(distances) if distances else None
    if v['dimensions'][2] != stack['positions']:
        faults.append(f'{name}: {v["dimensions"][2]} slices, {stack["positions"]} in the reference')
    for axis, want in ((0, stack['pixel_spacing_row_col'][1]), (1, stack['pixel_spacing_row_col'][0]), (2, spacing)):
        if want is not None and not close(v['spacing_mm'][axis], want, max(.002 * want, .001)):
            faults.append(f'{name}: spacing {v["spacing_mm"]} along axis {axis}, {want} in the reference')
    along = sum(a * b for a, b in zip(v['normal'], stack['normal']))
    if not close(abs(along), 1, 1e-4):
        faults.append(f'{name}: normal {v["normal"]}, {stack["normal"]} in the reference')
    if not close(abs(v['tilt_degrees']), stack['shear_degrees'], .15):
        faults.append(f'{name}: tilt {v["tilt_degrees"]}, {stack["shear_degrees"]} in the reference')
    return faults


def nifti(data):
    """Voxels of the first time point and the affine of the sform (or, where there is none, nothing)."""
    import numpy
    if data[:2] == b'\x1f\x8b':
        data = gzip.decompress(data)
    shape = struct.unpack_from('<8h', data, 40)
    kind, = struct.unpack_from('<h', data, 70)
    start, slope, intercept = struct.unpack_from('<3f', data, 108)
    dtype = {2: 'u1', 4: '<i2', 8: '<i4', 16: '<f4', 64: '<f8', 256: 'i1', 512: '<u2', 768: '<u4'}.get(kind)
    if dtype is None or struct.unpack_from('<h', data, 254)[0] == 0 or shape[0] not in (3, 4):
        return None
    extents = shape[1:4]
    count = extents[0] * extents[1] * extents[2]
    voxels = numpy.frombuffer(data, dtype, count, int(start)).reshape(extents, order='F')
    if slope not in (0, 1) or intercept != 0:
        voxels = voxels * slope + intercept
    affine = numpy.eye(4)
    affine[:3] = numpy.array(struct.unpack_from('<12f', data, 280)).reshape(3, 4)
    return voxels, affine


def compare_nifti(name, ours, theirs):
    """None when they hold the same voxels at the same places, else what is wrong."""
    import numpy
    (a, from_a), (b, to_b) = theirs, ours
    grid = numpy.linalg.inv(to_b) @ from_a
    index = numpy.stack(numpy.meshgrid(*[numpy.arange(n) for n in a.shape], indexing='ij'), -1).reshape(-1, 3)
    at = index @ grid[:3, :3].T + grid[:3, 3]
    whole = numpy.rint(at).astype(int)
    if abs(at - whole).max() > 2e-3:
        return f'{name}: voxels lie {abs(at - whole).max():.4f} voxels beside those of the reference'
    if not ((whole >= 0) & (whole < b.shape)).all() or a.size != b.size:
        return f'{name}: {b.shape} voxels, {a.shape} in the reference, not at the same places'
    if abs(a.reshape(-1) - b[tuple(whole.T)].astype(float)).max() > 1e-3:
        return f'{name}: voxels differ from the reference'
    return None


def main():
    folder = h.data_folder()
    if folder is None:
        h.skip('DICOM_TEST_DATA_DIR: no folder of real DICOM files')
    folder = os.path.join(folder, 'volumes')
    with h.Workspace('volumes') as w:
        server = h.Server(os.path.join(w.path, 'data'), {'store': {'segment_mib': 64}}, work=w.path)
        w.later(server.kill)
        code, text = server.command('import', folder, seconds=600)
        h.expect(code in (0, 1), f'cairn import: exit status {code}\n{text[-2000:]}')
        server.start()
        faults, regular, pictures, files = [], 0, 0, 0
        seen = collections.Counter()
        for name in os.listdir(folder):  # a series that lies in two folders is neither of the two in one archive
            seen.update({m.series for path in files_of(os.path.join(folder, name)) if (m := meta_of(path))})
        for name in sorted(os.listdir(folder)):
            reference = os.path.join(folder, name, 'reference.json')
            if not os.path.exists(reference):
                continue
            with open(reference) as f:
                stacks = json.load(f).get('stacks', [])
            by_series = collections.defaultdict(list)
            for stack in (s for s in stacks if isinstance(s, dict)):
                by_series[stack['series_instance_uid']].append(stack)
            studies = {}
            for path in files_of(os.path.join(folder, name)):
                meta = meta_of(path)
                where = find(server, meta.sop) if meta and can_be_filed(meta) else None
                if where:
                    studies[where[1]] = where[0]
            h.expect(studies, f'{name}: none of its instances is in the archive\n{text[-1500:]}\n{server.log_tail(10)}')
            for series, study in studies.items():
                status, body = server.get(f'/api/v1/studies/{study}/series/{series}/volume', seconds=120)
                h.expect(status == 200, f'{name}: volume report: HTTP {status} {body[:300]}')
                report = json.loads(body)
                known = by_series.get(series, [])
                is_regular = (len(known) == 1 and seen[series] == 1 and known[0]['images_per_position'] == [1] and known[0]['positions'] > 2 and
                              known[0]['distances_mm'] and max(known[0]['distances_mm']) - min(known[0]['distances_mm']) < .01 * max(known[0]['distances_mm']))
                if is_regular:
                    regular += 1
                    faults += compare(name, known[0], report)
                    for path in glob.glob(os.path.join(folder, name, 'ref', '*.nii*')):
                        with open(path, 'rb') as f:
                            theirs = nifti(f.read())
                        status, body = server.get(f'/api/v1/studies/{study}/series/{series}/volume.nii.gz', seconds=120)
                        if theirs is not None and status == 200:
                            files += 1
                            faults += filter(None, [compare_nifti(name, nifti(body), theirs)])
                        elif not (status == 422 and b'colour' in body):
                            faults.append(f'{name}: volume.nii.gz of a regular stack: HTTP {status} {body[:200]}')
                for v in report.get('volumes', [])[:2]:
                    status, body = server.get(f'/dicom-web/studies/{study}/series/{series}/renderedmpr?orientation=a&viewport=96,96', 'image/png', seconds=120)
                    if status != 200:
                        if is_regular:
                            faults.append(f'{name}: renderedmpr of a regular stack: HTTP {status} {body[:200]}')
                        break
                    width, height, _, rows = png.read(body)
                    pictures += 1
                    if (width, height) != (96, 96):
                        faults.append(f'{name}: a picture of {width} x {height}, asked for 96 x 96')
                    # A few thin slices are less than a line of the picture.
                    if v['dimensions'][2] >= 20 and len({x for row in rows for x in row}) < 3:
                        faults.append(f'{name}: a blank coronal picture')
                    break
                h.log(f'{name}: {len(report.get("volumes", []))} volumes, {"regular" if is_regular else "not one regular stack"}')
            h.expect(server.running(), f'{name}: the server died\n{server.log_tail()}')
        server.stop()
        h.report(faults, 30)
        h.expect(not faults, f'{len(faults)} faults')
        h.expect(regular >= 3 and pictures >= 5, f'only {regular} regular stacks and {pictures} pictures: nothing was tested')
        h.expect(files >= 2, f'only {files} NIfTI files compared')
        h.log(f'{regular} regular stacks as in the reference, {pictures} pictures, {files} NIfTI files')


if __name__ == '__main__':
    main()
