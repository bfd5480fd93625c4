#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""How tests/kernels/table judges a machine's output: a good one passes, a wrong or missing part does not."""
import importlib.machinery
import importlib.util
import json
import sys
from pathlib import Path

sys.dont_write_bytecode = True
PATH = Path(__file__).resolve().parents[1] / 'kernels/table'
LOADER = importlib.machinery.SourceFileLoader('table', str(PATH))
table = importlib.util.module_from_spec(importlib.util.spec_from_loader('table', LOADER))
LOADER.exec_module(table)

RELEASE = '6.12.117+deb13-cloud-amd64'
MATRIX = {'kernel': RELEASE, 'machine': 'x86_64', 'causes': {'right': 7, 'ambiguous': 1, 'wrong': 0, 'absent': 2},
          'owners': {'right': 6, 'wrong': 0, 'unknown': 3}, 'matrix': {'a': {'a': 7}}}


def output(matrix=MATRIX, machine=f'{RELEASE} x86_64 lockdep=no', loads='set_state 35956 294370', load_status=0,
           demo='24 of 24 right', scenarios='ok a\nskip b: why\n1 passed, 0 failed, 1 skipped', status='== status 0'):
    return '\n'.join(['== machine', machine, '== status 0', '== loads', loads, f'== status {load_status}', '== demo',
                      '  1 skipped: why', demo, '== status 0', '== scenarios',
                      f'matrix: {json.dumps(matrix)}' if matrix else '', scenarios, status]) + '\n'


def judged(text, log='clean'):
    kernel = table.Kernel('6.12', 'amd64')
    kernel.release = RELEASE
    kernel.found = {'kernel': RELEASE, 'architecture': 'amd64', 'log': log}
    table.judge(kernel, text)
    return kernel


def changed(part, **values):
    return {**MATRIX, part: {**MATRIX[part], **values}}


def test_a_good_output_passes():
    kernel = judged(output())
    assert (kernel.failed, kernel.problems) == (0, []), kernel.problems
    assert kernel.passed == 1 + 24 + 1 + 1  # a program, the demo's rows, a scenario, the log
    assert kernel.skips == 1
    assert table.summary(kernel.found) == (RELEASE, '7 / 1 / 0 / 2', '6 / 0 / 3', '1 / 0 / 1', '24 of 24', '1: 35956',
                                           '294', 'clean', 'no')


def fails(text, log='clean', times=1):
    kernel = judged(text, log)
    assert kernel.failed == times, (kernel.failed, kernel.problems)
    assert kernel.problems or log != 'clean'


def test_a_wrong_cause_fails():
    fails(output(matrix=changed('causes', wrong=1)))


def test_a_wrong_owner_fails():
    fails(output(matrix=changed('owners', wrong=1)))


def test_no_cause_at_all_fails():
    fails(output(matrix=changed('causes', right=0)))


def test_no_matrix_fails():
    fails(output(matrix=None))


def test_a_failed_scenario_fails_and_is_shown_with_its_events():
    text = output(scenarios='not ok a: missing\n    seen: b\n0 passed, 1 failed, 0 skipped', status='== status 1')
    fails(text)
    assert 'a: missing\n    seen: b' in judged(text).problems


def test_a_suite_that_ends_without_its_closing_line_fails():
    fails(output(scenarios='ok a'))


def test_a_suite_that_claims_success_and_ends_badly_fails():
    fails(output(status='== status 3'))


def test_a_machine_that_stops_in_the_middle_fails():
    fails(output(status=''))
    fails(output().partition('== demo')[0], times=3)  # the demo, the scenarios, their matrix


def test_nothing_at_all_fails():
    assert judged('').failed >= 4


def test_another_kernel_than_asked_for_fails():
    fails(output(machine='6.18.1 x86_64 lockdep=no'))


def test_a_wrong_row_of_the_demo_fails():
    fails(output(demo='  WRONG a\n23 of 24 right'))


def test_a_program_that_does_not_load_fails():
    fails(output(loads='lostpeer: the kernel does not take the BPF programs', load_status=1))


def test_no_program_fails():
    fails(output(loads=''))
    fails(output(loads='set_state many'))


def test_a_machine_that_ends_badly_after_all_fails():
    kernel = table.Kernel('6.12', 'amd64')
    kernel.release, kernel.found = RELEASE, {'kernel': RELEASE, 'architecture': 'amd64', 'log': 'clean'}
    kernel.fail('boot: status 125')
    table.judge(kernel, output())
    assert kernel.failed == 1


def test_a_kernel_log_that_is_not_clean_fails():
    fails(output(), log='complains')


def test_lockdep_is_reported():
    assert table.summary(judged(output(machine=f'{RELEASE} x86_64 lockdep=yes')).found)[-1] == 'yes'


def main():
    failed, tests = 0, [(name, test) for name, test in globals().items() if name.startswith('test_')]
    for name, test in tests:
        try:
            test()
            print(f'ok {name}')
        except AssertionError as problem:
            failed += 1
            print(f'not ok {name}: {problem}')
    print(f'{len(tests) - failed} passed, {failed} failed, 0 skipped')
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
