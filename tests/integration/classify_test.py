"""`hellocnn classify` between other programs and on a terminal: pipes that stay open, a server that dies, a pseudo-terminal."""
import fcntl
import json
import os
import pty
import re
import select
import struct
import subprocess
import tempfile
import termios
import time
import unittest

import testbed

PATIENCE = 60


def bar(width=7):
    """A picture with a bar in it, as PGM."""
    rows = [bytearray(b'\xff' * 60) for _ in range(60)]
    for row in rows[10:50]:
        row[20:20 + width] = bytes(width)
    return b'P5 60 60 255\n' + b''.join(rows)


def run(*arguments, **options):
    return subprocess.run([testbed.CLI, *arguments], env=testbed.clean_environment(), capture_output=True, timeout=PATIENCE,
                          check=False, **options)


class ClassifyCase(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = testbed.Server(metrics_listen='off')
        cls.addClassCleanup(cls.server.stop)

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def write(self, name, content=None):
        path = os.path.join(self.folder, name)
        with open(path, 'wb') as file:
            file.write(bar() if content is None else content)
        return path

    def start(self, server, *arguments, **streams):
        process = subprocess.Popen([testbed.CLI, '--server', server.address, 'classify', *arguments],
                                   env=testbed.clean_environment(), stdin=subprocess.PIPE, **streams)
        self.addCleanup(process.stdin.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process


def read_line(file):
    """The next line that is there in time, without its end."""
    line = b''
    until = time.monotonic() + PATIENCE
    while not line.endswith(b'\n'):
        if not select.select([file], [], [], max(0, until - time.monotonic()))[0]:
            raise AssertionError(f'no line after {line!r}')
        byte = os.read(file.fileno(), 1)
        if not byte:
            raise AssertionError(f'the output ended after {line!r}')
        line += byte
    return line[:-1].decode()


class PipeTest(ClassifyCase):
    def test_a_name_on_a_pipe_is_answered_while_the_pipe_stays_open(self):
        for end in (b'\n', b'\0'):
            with self.subTest(end=end):
                process = self.start(self.server, '--files-from', '-', '--output', 'ndjson', stdout=subprocess.PIPE)
                self.addCleanup(process.stdout.close)
                for name in ('one.pgm', 'two.pgm', 'three.pgm'):
                    path = self.write(name)
                    process.stdin.write(path.encode() + end)
                    process.stdin.flush()
                    self.assertEqual(json.loads(read_line(process.stdout))['file'], path)
                process.stdin.close()
                self.assertEqual(process.wait(PATIENCE), 0)

    def test_a_server_that_dies_ends_the_run_although_the_list_goes_on(self):
        with testbed.Server(metrics_listen='off') as server:
            process = self.start(server, '--files-from', '-', '--output', 'csv', stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            self.addCleanup(process.stdout.close)
            self.addCleanup(process.stderr.close)
            path = self.write('one.pgm')
            for _ in range(2):
                process.stdin.write(path.encode() + b'\n')
                process.stdin.flush()
                self.assertRegex(read_line(process.stdout), 'file,index|one.pgm,0,digit')
            self.assertRegex(read_line(process.stdout), 'one.pgm,0,digit')
            server.process.kill()
            server.process.wait()
            server.process.returncode = 0  # as was wanted here
            process.stdin.write(path.encode() + b'\n')
            process.stdin.flush()
            self.assertEqual(process.wait(PATIENCE), 1)  # the pipe is still open
        self.assertRegex(process.stdout.read().decode(), 'one.pgm,0,error,')
        self.assertRegex(process.stderr.read().decode(), r'not available: .*\[UNAVAILABLE\]\n$')

    def test_standard_input_may_be_the_picture(self):
        for name in ('-', '/dev/stdin'):
            done = run('--server', self.server.address, 'classify', '--output', 'json', name, input=bar())
            self.assertEqual(done.returncode, 0, done)
            result = json.loads(done.stdout)['results'][0]
            self.assertEqual((result['file'], result['outcome']), (name, 'digit'))

    def test_a_list_without_an_end_ends(self):
        done = run('--server', self.server.address, 'classify', '--files-from', '/dev/zero')
        self.assertEqual(done.returncode, 1, done)
        self.assertIn(b'/dev/zero: this is no list of files', done.stderr)


class Screen:
    """What a terminal shows of what is written to it: only the controls that programs of this project may use move anything."""

    def __init__(self, columns):
        self.columns = columns
        self.master, self.slave = pty.openpty()
        fcntl.ioctl(self.slave, termios.TIOCSWINSZ, struct.pack('HHHH', 24, columns, 0, 0))
        self.raw = b''

    def read_until(self, pattern):
        until = time.monotonic() + PATIENCE
        while not re.search(pattern, self.raw):
            if not select.select([self.master], [], [], max(0, until - time.monotonic()))[0]:
                raise AssertionError(f'no {pattern!r} in {self.raw!r}')
            self.raw += os.read(self.master, 4096)

    def read_rest(self):
        while select.select([self.master], [], [], 0)[0]:
            self.raw += os.read(self.master, 4096)

    def lines(self):
        shown = ['']
        column = 0
        for piece in re.findall(r'\x1b\[K|[\r\n]|[^\r\n\x1b]+|\x1b', self.raw.decode()):
            if piece == '\r':
                column = 0
            elif piece == '\n':
                shown.append('')
            elif piece == '\x1b[K':
                shown[-1] = shown[-1][:column]
            else:
                shown[-1] = shown[-1][:column] + piece + shown[-1][column + len(piece):]
                column += len(piece)
        return shown

    def close(self):
        os.close(self.slave)
        os.close(self.master)


class TerminalTest(ClassifyCase):
    def screen(self, columns=60):
        screen = Screen(columns)
        self.addCleanup(screen.close)
        return screen

    def test_messages_stand_on_lines_of_their_own_and_progress_is_cut_and_escaped(self):
        screen = self.screen()
        hostile = self.write('\x1b]0;owned\x07\x1b[2J\r' + 'x' * 100 + '.pgm')
        missing = os.path.join(self.folder, 'missing.pgm')
        with tempfile.TemporaryFile() as out:
            process = self.start(self.server, '--files-from', '-', '--output', 'json', stdout=out, stderr=screen.slave)
            for _ in range(3):
                process.stdin.write(hostile.encode() + b'\0')
                process.stdin.flush()
                time.sleep(0.3)  # the line is drawn at most every 0.2 s
            screen.read_until(rb'images/s')
            process.stdin.write(missing.encode() + b'\0')
            process.stdin.flush()
            screen.read_until(rb'NOT_FOUND\]\r\n')
            process.stdin.close()
            self.assertEqual(process.wait(PATIENCE), 1)
        screen.read_rest()
        self.assertEqual(re.sub(rb'\x1b\[K|[\r\n]', b'', screen.raw).translate(None, bytes(range(32, 127))), b'', screen.raw)
        self.assertIn(f'hellocnn: {missing}: there is no such file [NOT_FOUND]', screen.lines())
        drawn = re.findall(rb'\r\x1b\[K([^\r]*images/s[^\r]*)', screen.raw)
        self.assertTrue(drawn)
        for line in drawn:
            self.assertLess(len(line), screen.columns, line)
        self.assertTrue([line for line in drawn if re.search(rb', \.\.\.x+\.pgm$', line)], drawn)
        self.assertEqual(screen.lines()[-1], '')

    def test_names_in_csv_are_escaped_on_a_terminal_and_exact_in_a_file(self):
        screen = self.screen()
        path = self.write('\x1b[31mred.pgm')
        arguments = [testbed.CLI, '--server', self.server.address, 'classify', '--output', 'csv', path]
        subprocess.run(arguments, env=testbed.clean_environment(), stdout=screen.slave, timeout=PATIENCE, check=True)
        screen.read_until(rb'pgm,0,')
        self.assertIn(rb'/\x1b[31mred.pgm,0,digit', screen.raw)
        self.assertNotIn(b'\x1b', screen.raw)
        self.assertIn(b'/\x1b[31mred.pgm,0,digit', run(*arguments[1:]).stdout)


if __name__ == '__main__':
    unittest.main(verbosity=2)
