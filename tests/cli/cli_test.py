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
COMMANDS = ([], ['classify'], ['evaluate'], ['describe'], ['model'], ['model', 'create'], ['model', 'check'], ['model', 'diff'], ['model', 'list'], ['models'], ['health'], ['load'], ['load', 'compare'], ['tune'], ['token'], ['token', 'new'], ['token', 'hash'], ['completion'])


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
        self.assert_usage('--round-robin', says='a command is missing: classify, evaluate')
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
        for command in (['classify', 'x.png'], ['evaluate', '--data', 'd'], ['describe'], ['load']):
            for option in ('--model', '--model-version'):
                self.assert_usage(*command, option, '', says=f'{option}: is empty')
                self.assert_usage(*command, option, b'a\xff', says=r"'a\xff' is not printable UTF-8")
        self.assert_usage('describe', '--offline', '--model', 'mnist', says='--model')
        self.assert_usage('describe', '--offline', '--model-version', '1', says='--model-version')
        self.assert_usage('models', 'mnist', says='mnist')
        self.assert_usage('models', '--output', 'csv', says='csv')
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

    def test_what_was_mistyped_is_named(self):
        for arguments, says in (
            (['clasify', 'x.png'], "'clasify' is not a command of hellocnn; did you mean classify?"),
            (['laod', '--rate', '5'], 'did you mean load?'),
            (['load', 'comprae', 'a', 'b'], "'comprae' is not a command of hellocnn load; did you mean compare?"),
            (['health', '--servre', 'h:1'], '--servre is not an option of hellocnn health; did you mean --server?'),
            (['load', '--durration=1s'], '--durration is not an option of hellocnn load; did you mean --duration?'),
            (['--vresion'], 'did you mean --version?'),
            (['classify', '--output', 'jsn', 'x.png'], "'jsn' is not one of text, json"),
            (['classify', '--output', 'jsn', 'x.png'], 'did you mean json?'),
            (['load', '--mode=steam'], 'did you mean stream?'),
            (['completion', 'bsh'], 'did you mean bash?'),
        ):
            self.assert_usage(*arguments, says=says)
        self.assertNotIn('did you mean', run('bake').stderr)
        self.assertNotIn('did you mean', run('health', '--nonsense').stderr)
        self.assertIn('Run `hellocnn load --help` for more.', run('load', '--nonsense').stderr)

    def test_options_that_a_command_does_not_use_are_rejected(self):
        shared = (['--server', 'h:1'], ['--timeout', '1s'], ['--round-robin'], ['--tls'], ['--tls-ca', 'x'], ['--proxy', 'http://h:1'], ['--token-file', 'x'], ['--allow-plaintext-token'])
        tune = ['tune', '--slo', 'p99=5ms', '--server-binary', '/nonexistent']
        nowhere = ['a.json', 'b.json']
        for command, name, unused in (
            (tune, 'hellocnn tune', [option for option in shared if option[0] in ('--server', '--round-robin', '--proxy')]),
            (['completion', 'bash'], 'hellocnn completion', shared),
            (['token', 'new', '--output', '/nonexistent/token'], 'hellocnn token new', shared),
            (['token', 'hash'], 'hellocnn token hash', [option for option in shared if option[0] != '--token-file']),
            (['describe', '--offline'], 'hellocnn describe --offline', shared),
            (['load', 'compare', *nowhere], 'hellocnn load compare', [*shared, ['--rate', '5'], ['--output', 'json']]),
        ):
            for option in unused:
                with self.subTest(command=name, option=option[0]):
                    says = f'hellocnn: {option[0]}: {name} does not use it, because it '
                    self.assert_usage(*command, *option, says=says)
                    if option in shared:
                        self.assert_usage(*option, *command, says=says)
        self.assert_usage('load', '--rate', '5', 'compare', *nowhere, says='--rate: hellocnn load compare does not use it')

    def test_what_a_command_uses_is_not_rejected(self):
        for arguments in (['--timeout', '1s'], ['--tls']):
            done = run('tune', '--slo', 'p99=5ms', '--server-binary', '/nonexistent', *arguments)
            self.assertEqual(done.returncode, 1, done)
            self.assertIn('/nonexistent', done.stderr)

    def test_a_variable_may_be_set_for_other_commands(self):
        for command, code in (
            (['completion', 'bash'], 0),
            (['describe', '--offline'], 0),
            (['load', 'compare', '/nonexistent', '/nonexistent'], 1),
            (['tune', '--slo', 'p99=5ms', '--server-binary', '/nonexistent'], 1),
        ):
            for address in (NOWHERE, 'no port'):
                with self.subTest(command=command[0], address=address):
                    done = run(*command, HELLOCNN_SERVER=address)
                    self.assertEqual(done.returncode, code, done)

    def test_addresses_are_checked(self):
        for address, says in (
            ('127.0.0.1:104036', 'the port is too large'),
            ('127.0.0.1', 'it has no port'),
            ('http://127.0.0.1:8500/', 'wanted 127.0.0.1:8500, without http://'),
            ('::1', 'an IPv6 address needs brackets'),
            (' 127.0.0.1:1', 'a space'),
            ('127.0.0.1:0', 'port 0'),
        ):
            self.assert_usage('health', '--server', address, says=says)
            done = run('health', HELLOCNN_SERVER=address)
            self.assertEqual(done.returncode, 2, done)
            self.assertIn(f'HELLOCNN_SERVER: the target is "{address}": ', done.stderr)
        done = run('health', '--timeout', '100ms', HELLOCNN_SERVER='')
        self.assertEqual(done.returncode, 1, done)
        self.assertIn('127.0.0.1:8500', done.stderr)

    def test_without_arguments_there_is_help(self):
        self.assertEqual(run().stdout, run('--help').stdout)
        self.assertEqual((run().returncode, run().stderr), (0, ''))
        self.assertEqual(run('help').stdout, run('--help').stdout)
        self.assertEqual(run('help', 'load').stdout, run('load', '--help').stdout)

    def test_help_fits_a_terminal_and_writes_numbers_one_way(self):
        for command in COMMANDS:
            text = run(*command, '--help').stdout
            for line in text.splitlines():
                self.assertLessEqual(len(line), 80, line)
            self.assertNotIn('\n\n\n', text)
            self.assertNotRegex(text, r'(?<![\d,])\d{1,3}(,\d{3})+(?![\d,])|\de\+?\d|INT|FLOAT|NONNEGATIVE|POSITIVE')
        self.assertRegex(run('load', '--help').stdout, r'1 to 65536')
        self.assertRegex(' '.join(run('tune', '--help').stdout.split()), r'1 to 1000000; default 1000')

    def test_help_has_examples(self):
        for command in COMMANDS:
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
            offered = re.findall(r'^  (?:-\w, )?(--[\w-]+)', run(*command.split()[1:], '--help').stdout, re.MULTILINE)
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
        self.assert_unreachable('models', '--server', NOWHERE)

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
