"""The completions do complete, in the shells that are there. Usage: shell_completion_test.py PATH_OF_HELLOCNN"""
import os
import shutil
import subprocess
import sys
import tempfile
import unittest

PROGRAM = sys.argv.pop(1)


def script(shell):
    return subprocess.run([PROGRAM, 'completion', shell], text=True, capture_output=True, check=True).stdout


def shell_or_skip(name):
    if shutil.which(name) is None:
        raise unittest.SkipTest(f'there is no {name}')
    return name


class Bash(unittest.TestCase):
    def complete(self, *words, folder='.'):
        """What bash offers for the last of `words`."""
        test = script('bash') + '\nCOMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _hellocnn; printf "%s\\n" "${COMPREPLY[@]}"'
        done = subprocess.run(['bash', '-uc', test, 'bash', *words], text=True, capture_output=True, cwd=folder, check=False)
        self.assertEqual((done.returncode, done.stderr), (0, ''), done)
        return set(done.stdout.split('\n')) - {''}

    def test_commands_and_what_is_below_them(self):
        self.assertLessEqual({'classify', 'evaluate', 'describe', 'models', 'health', 'load', 'tune', '--server'},
                             self.complete('hellocnn', ''))
        self.assertEqual(self.complete('hellocnn', 'lo'), {'load'})
        self.assertEqual(self.complete('hellocnn', 'load', 'com'), {'compare'})

    def test_options_are_those_of_the_command(self):
        self.assertEqual(self.complete('hellocnn', 'load', '--conc'), {'--concurrency'})
        self.assertEqual(self.complete('hellocnn', 'health', '--conc'), set())
        self.assertEqual(self.complete('hellocnn', 'load', 'compare', 'a', 'b', '--fail'), {'--fail-if'})
        # Options of the program are also accepted after the command.
        self.assertEqual(self.complete('hellocnn', 'load', '--serv'), {'--server', '--server-metrics'})

    def test_hidden_options_are_not_offered(self):
        self.assertEqual(self.complete('hellocnn', '--print-o'), set())
        self.assertEqual(self.complete('hellocnn', 'load', '--print-o'), set())

    def test_choices(self):
        self.assertEqual(self.complete('hellocnn', 'load', '--output', ''), {'text', 'json', 'csv', 'hgrm'})
        self.assertEqual(self.complete('hellocnn', 'load', '--output', '=', 'j'), {'json'})
        self.assertEqual(self.complete('hellocnn', 'load', '--output', '='), {'text', 'json', 'csv', 'hgrm'})
        self.assertEqual(self.complete('hellocnn', 'describe', '--output', ''), {'text', 'json'})

    def test_files_where_files_are_wanted(self):
        with tempfile.TemporaryDirectory() as folder:
            for name in ('seven of mine.png', 'other'):
                with open(os.path.join(folder, name), 'w', encoding='utf-8'):
                    pass
            self.assertEqual(self.complete('hellocnn', 'classify', 's', folder=folder), {'seven of mine.png'})
            self.assertEqual(self.complete('hellocnn', 'load', '--html', '', folder=folder), {'seven of mine.png', 'other'})
            self.assertEqual(self.complete('hellocnn', 'load', '--rate', '', folder=folder), set())

    def test_every_option_of_the_help_is_offered(self):
        for command in ('load', 'classify', 'tune'):
            help_text = subprocess.run([PROGRAM, command, '--help'], text=True, capture_output=True, check=True).stdout
            options = {line.split()[0].rstrip(',') for line in help_text.splitlines() if line.startswith('  -')}
            self.assertGreater(len(options), 3)
            self.assertLessEqual(options, self.complete('hellocnn', command, '-'))


class Fish(unittest.TestCase):
    def complete(self, line):
        fish = shell_or_skip('fish')
        with tempfile.TemporaryDirectory() as home:
            done = subprocess.run([fish, '--no-config', '-c', script('fish') + '\ncomplete -C ' + f"'{line}'"], text=True,
                                  capture_output=True, env={**os.environ, 'HOME': home}, check=False)
        self.assertEqual(done.returncode, 0, done)
        self.assertEqual(done.stderr, '')
        return {offer.split('\t')[0] for offer in done.stdout.splitlines()}

    def test_completes(self):
        self.assertEqual(self.complete('hellocnn lo'), {'load'})
        self.assertIn('--concurrency', self.complete('hellocnn load --conc'))
        self.assertEqual(self.complete('hellocnn load --output '), {'text', 'json', 'csv', 'hgrm'})
        self.assertNotIn('--concurrency', self.complete('hellocnn health --conc'))


class Zsh(unittest.TestCase):
    def complete(self, *words):
        """compadd, _files and compset belong to zsh's line editor: here they print what they are told."""
        zsh = shell_or_skip('zsh')
        array = ' '.join(f"'{word}'" for word in words)
        stand_ins = ('compdef() { }; compadd() { shift; print -l -- "$@" }; _files() { print -- "<files>" }; compset() { };'
                     f' words=({array}); CURRENT=${{#words}}\n')
        done = subprocess.run([zsh, '-f', '-c', stand_ins + script('zsh') + '\n_hellocnn'], text=True, capture_output=True,
                              check=False)
        self.assertEqual((done.returncode, done.stderr), (0, ''), done)
        return set(done.stdout.split())

    def test_completes(self):
        self.assertLessEqual({'load', 'classify', '--server'}, self.complete('hellocnn', ''))
        self.assertIn('--concurrency', self.complete('hellocnn', 'load', ''))
        self.assertNotIn('--concurrency', self.complete('hellocnn', 'health', ''))
        self.assertEqual(self.complete('hellocnn', 'load', '--output', ''), {'text', 'json', 'csv', 'hgrm'})
        self.assertEqual(self.complete('hellocnn', 'load', '--output=j'), {'text', 'json', 'csv', 'hgrm'})
        self.assertEqual(self.complete('hellocnn', 'load', '--html', ''), {'<files>'})
        self.assertEqual(self.complete('hellocnn', 'load', '--rate', ''), set())


class Usage(unittest.TestCase):
    def test_another_shell_is_refused(self):
        done = subprocess.run([PROGRAM, 'completion', 'tcsh'], text=True, capture_output=True, check=False)
        self.assertEqual(done.returncode, 2)
        self.assertIn('tcsh', done.stderr)


if __name__ == '__main__':
    unittest.main(verbosity=2)
