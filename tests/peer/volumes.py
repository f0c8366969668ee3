#!/usr/bin/env python3
"""Every series below volumes/ as the server sees it: regular stacks have the geometry of reference.json, irregular ones
are reported as odd, and each volume gives a picture of the size asked for.

The reference was made with other software; values of voxels are compared in the unit tests, geometry here.
"""
import collections
import json
import os
import re
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
        faults, regular, pictures = [], 0, 0
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
        h.log(f'{regular} regular stacks as in the reference, {pictures} pictures')


if __name__ == '__main__':
    main()
