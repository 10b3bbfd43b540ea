"""The program `hellocnn` with no server about: exit codes, messages, help. Usage: cli_test.py PATH_OF_HELLOCNN"""
import json
import os
import re
import subprocess
import sys
import tempfile
import unittest

PROGRAM = sys.argv.pop(1)
NOWHERE = '127.0.0.1:1'


def run(*arguments, **environment):
    env = {k: v for k, v in os.environ.items() if k != 'HELLOCNN_SERVER'}
    env.update(environment)
    return subprocess.run([PROGRAM, *arguments], env=env, text=True, capture_output=True, timeout=60, check=False)


class Usage(unittest.TestCase):
    def assert_usage(self, *arguments, says=''):
        done = run(*arguments)
        self.assertEqual(done.returncode, 2, done)
        self.assertEqual(done.stdout, '')
        self.assertIn(says, done.stderr)

    def test_wrong_usage_is_2(self):
        self.assert_usage(says='subcommand')
        self.assert_usage('bake', says='bake')
        self.assert_usage('classify', says='files')
        self.assert_usage('classify', '--top', '1025', 'x.png', says='1025')
        self.assert_usage('classify', '--index', '-1', 'x.png')
        self.assert_usage('classify', '--index', '1', '--limit', '2', 'x.png', says='--limit')
        self.assert_usage('classify', '--output', 'xml', 'x.png', says='xml')
        self.assert_usage('evaluate', says='--data')
        self.assert_usage('evaluate', '--data', 'd', '--batch', '0')
        self.assert_usage('evaluate', '--data', 'd', '--concurrency', 'many', says='many')
        self.assert_usage('health', '--nonsense', says='--nonsense')
        self.assert_usage('load', '--concurrency', '0', says="'0'")
        self.assert_usage('load', '--concurrency', '1:8', says='FROM:TO:xFACTOR')
        self.assert_usage('load', '--concurrency', '4', '--rate', '5', says='--concurrency')
        self.assert_usage('load', '--arrivals', 'poisson', says='needs --rate')
        self.assert_usage('load', '--duration', '5', says="'5' is not a duration")
        self.assert_usage('load', '--duration', '0s', says='more than 0')
        self.assert_usage('load', '--threads', '2', says='--connections')
        self.assert_usage('load', '--slo', 'p99=5ms', says='need each other')
        self.assert_usage('load', '--find-max-rate', '--slo', 'p99', says="no '='")
        self.assert_usage('load', '--ramp-from', '5', says='needs --rate')
        self.assert_usage('load', '--rate', '1:4:x2', '--output', 'hgrm', says='one measurement')
        self.assert_usage('load', '--window', '50ms', says='tenths of a second')
        self.assert_usage('load', '--window', '1s', '--duration', '2s', says='--window')
        self.assert_usage('load', '--until-steady', '--requests', '50', says='--duration')
        self.assert_usage('load', '--steady-by', 'p98', says='p98')
        self.assert_usage('load', 'compare', 'a.json', says='after')
        self.assert_usage('load', 'compare', 'a.json', 'b.json', '--fail-if', 'p99>10', says='no %')
        self.assert_usage('--timeout', '5', 'health', says="'5' is not a duration")
        self.assert_usage('health', '--timeout', '-1s', says='greater than 0')

    def test_help_has_examples(self):
        for command in ([], ['classify'], ['evaluate'], ['describe'], ['health'], ['load'], ['load', 'compare'], ['tune'],
                        ['completion']):
            done = run(*command, '--help')
            self.assertEqual(done.returncode, 0, done)
            self.assertIn('Examples:\n  hellocnn ', done.stdout)
        self.assertIn('HELLOCNN_SERVER', run('--help').stdout)

    def test_the_reference_has_every_option_of_the_help(self):
        done = run('--print-options-markdown')
        self.assertEqual((done.returncode, done.stderr), (0, ''))
        sections = dict(re.findall(r'^## (.*)\n((?:(?!## ).*\n)*)', done.stdout, re.MULTILINE))
        self.assertIn('hellocnn load compare', sections)
        self.assertIn('| `--mode` | unary, stream | unary | ', sections['hellocnn load'])
        self.assertIn('| `--threads` | N, 1 to 256 | 1 | ', sections['hellocnn load'])
        self.assertIn('| `--limit` | N, above 0 | 10 | ', sections['hellocnn classify'])
        sections['hellocnn'] = sections.pop('Every command')
        for command, section in sections.items():
            offered = re.findall(r'^  (?:-\w,)?(--[\w-]+)', run(*command.split()[1:], '--help').stdout, re.MULTILINE)
            documented = re.findall(r'^\| `(--[\w-]+)`', section, re.MULTILINE)
            self.assertEqual(set(documented), set(offered) - {'--help', '--version'}, command)

    def test_version(self):
        done = run('--version')
        self.assertEqual(done.returncode, 0)
        self.assertRegex(done.stdout, r'^hellocnn \d+\.\d+\.\d+\n$')


class Offline(unittest.TestCase):
    def test_describes_the_compiled_in_network(self):
        done = run('describe', '--offline')
        self.assertEqual(done.returncode, 0, done)
        self.assertRegex(done.stdout, r'total +61,706 +416,520\n')
        self.assertRegex(done.stdout, r'conv\.2 +MaxPool2d\(15x15.*\) +\[6, 14, 14\] +0 ')

    def test_describes_it_as_json(self):
        network = json.loads(run('describe', '--offline', '--output', 'json').stdout)
        self.assertEqual(network['parameters'], 61706)
        self.assertEqual(network['multiply_adds'], 416520)
        self.assertEqual(len(network['layers']), 12)
        self.assertEqual(network['layers'][8]['output_shape'], [84])
        self.assertEqual(network['layers'][6]['output_shape'], [120])
        self.assertEqual(sum(layer['parameters'] for layer in network['layers']), 61706)

    def test_a_full_disk_is_noticed(self):
        with open('/dev/full', 'w', encoding='utf-8') as full:
            done = subprocess.run([PROGRAM, 'describe', '--offline'], stdout=full, stderr=subprocess.PIPE, text=True,
                                  check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn('standard output', done.stderr)


class NoServer(unittest.TestCase):
    def assert_unreachable(self, *arguments, **environment):
        done = run(*arguments, **environment)
        self.assertEqual(done.returncode, 1, done)
        self.assertEqual(done.stdout, '')
        self.assertIn(NOWHERE, done.stderr)
        self.assertIn('[UNAVAILABLE]', done.stderr)
        return done.stderr

    def test_says_so_and_names_the_target(self):
        self.assert_unreachable('--server', NOWHERE, 'health')
        self.assert_unreachable('health', '--server', NOWHERE)
        self.assert_unreachable('health', HELLOCNN_SERVER=NOWHERE)
        self.assert_unreachable('classify', '--server', NOWHERE, 'x.png')

    def test_a_service_named_hellocnn_server_sets_nothing(self):
        """Kubernetes sets such variables in a pod beside it."""
        links = {
            'HELLOCNN_SERVER_SERVICE_HOST': '10.96.0.1',
            'HELLOCNN_SERVER_SERVICE_PORT': '8500',
            'HELLOCNN_SERVER_PORT': 'tcp://10.96.0.1:8500',
            'HELLOCNN_SERVER_PORT_8500_TCP_ADDR': '10.96.0.1',
        }
        self.assert_unreachable('--server', NOWHERE, 'health', **links)
        self.assert_unreachable('health', HELLOCNN_SERVER=NOWHERE, **links)

    def test_describe_mentions_offline(self):
        self.assertIn('--offline', self.assert_unreachable('describe', '--server', NOWHERE))

    def test_evaluate_looks_at_the_data_first(self):
        with tempfile.TemporaryDirectory() as folder:
            done = run('evaluate', '--data', folder, '--server', NOWHERE)
        self.assertEqual(done.returncode, 1, done)
        self.assertIn(folder, done.stderr)


if __name__ == '__main__':
    unittest.main(verbosity=2)
