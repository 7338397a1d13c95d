#!/usr/bin/env python3
"""The examples of docs/examples do what docs/deploy.md says, as far as one machine can tell.

usage: examples.py COMMAND LIBRARY EXAMPLES SETTINGS              tries them
       examples.py COMMAND LIBRARY EXAMPLES SETTINGS --self-test  plants mistakes in copies, and sees that each is found

COMMAND and LIBRARY are built ones, SETTINGS is docs/configuration.md.
- systemd: `systemd-analyze verify` reads the units with their drop-ins; what they put into the environment is a setting that the
  library knows, and a program that is started with it says nothing; add-to-slice runs with a systemctl that answers.
- Kubernetes, compose: the files are parsed, each mount is of a volume that there is, the preloaded path is one that the init
  container writes or that is mounted; then bwrap makes the "container": a root that is read-only, the volumes as folders, the
  init container's own command, and a program with the variables, whose report has to be there.
- Ansible: parsed; each task is named, calls one module of ansible.builtin, and copies files that are there.
- Prometheus: the script runs beside a served process, and each line of its file is one of the format, with a type and help; promtool has
  nothing to say about it, and the alerts fire where rules_test.yml says; dashboard and alerts name metrics that there are.
What a tool is missing for is named and left out; where bwrap may not make a container, too.
"""
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

try:
    import yaml
except ImportError:
    yaml = None

SAMPLE = re.compile(r'[a-z_:][a-z0-9_:]*(\{([a-z_]+="(\\.|[^"\\])*",?)*\})? -?[0-9.e+-]+$')


class Trial:
    def __init__(self, command, library, examples, settings):
        self.command, self.library, self.examples = command, library, examples
        self.settings = set(re.findall(r'^\| `(CLOCKSHIM_[A-Z]+)`', settings.read_text(encoding='utf-8'), re.M))
        self.errors, self.left_out = [], []

    def wrong(self, what):
        self.errors.append(what)

    def check_environment(self, name, environment):
        """The variables are known, and the library has nothing to say about their values; unless they name a folder of elsewhere."""
        for variable in environment:
            if variable != 'LD_PRELOAD' and variable not in self.settings:
                self.wrong(f'{name}: {variable} is no setting')
        if pathlib.PurePath(environment.get('LD_PRELOAD', '')).name != 'libclockshim.so':
            self.wrong(f'{name}: LD_PRELOAD is not the library')
        values = {k: v for k, v in environment.items() if k not in {'LD_PRELOAD', 'CLOCKSHIM_DIR', 'CLOCKSHIM_REPORT'}}
        with tempfile.TemporaryDirectory() as folder:
            done = subprocess.run(['date'], capture_output=True, text=True, check=False,
                                  env={**values, 'LD_PRELOAD': str(self.library), 'CLOCKSHIM_REPORT': 'none', 'CLOCKSHIM_DIR': folder + '/d'})
        if done.stderr or done.returncode:
            self.wrong(f'{name}: {done.stderr.strip()}')

    def systemd(self):
        folder = self.examples / 'systemd'
        text = (folder / 'clockshim.conf').read_text(encoding='utf-8')
        self.check_environment('clockshim.conf', dict(re.findall(r'^Environment=(\w+)=(.*)$', text, re.M)))
        manager = (folder / 'system.conf').read_text(encoding='utf-8')
        default = re.search(r'^\[Manager\]\nDefaultEnvironment=(.*)$', manager, re.M)
        self.check_environment('system.conf', dict(pair.split('=', 1) for pair in default[1].split()) if default else {})
        if 'CLOCKSHIM_ONLY=' not in manager:
            self.wrong('system.conf: serves every program')
        with tempfile.TemporaryDirectory() as name:
            temp = pathlib.Path(name)
            self.verify_units(temp, folder / 'clockshim.conf')
            self.add_to_slice(temp, folder)

    def verify_units(self, temp, drop_in):
        if not shutil.which('systemd-analyze'):
            self.left_out.append('systemd-analyze')
            return
        units = temp / 'units'
        (units / 'app.service.d').mkdir(parents=True)
        (units / 'app.service').write_text('[Service]\nExecStart=/bin/sleep 1\n')
        shutil.copy(drop_in, units / 'app.service.d/clockshim.conf')
        for file in (self.examples / 'prometheus').glob('clockshim-textfile.*'):
            # The script stands in /usr/local/bin on a machine that has it.
            text = file.read_text(encoding='utf-8')
            script = re.search(r'^ExecStart=(\S+)', text, re.M)
            if script and pathlib.PurePath(script[1]).name != 'clockshim-textfile':
                self.wrong(f'{file.name}: starts {script[1]}')
            (units / file.name).write_text(re.sub(r'^ExecStart=\S+', 'ExecStart=/bin/true', text, flags=re.M), encoding='utf-8')
        for unit in ('app.service', 'clockshim-textfile.service', 'clockshim-textfile.timer'):
            done = subprocess.run(['systemd-analyze', 'verify', '--man=no', '--recursive-errors=no', units / unit], capture_output=True, text=True,
                                  env={**os.environ, 'SYSTEMD_UNIT_PATH': f'{units}:', 'SYSTEMD_LOG_TARGET': 'console'}, check=False)
            # It reads other units of the machine, too, of which nothing is said here.
            said = [line for line in done.stderr.splitlines() if str(units) in line or 'clockshim' in line]
            if said:
                self.wrong(f'{unit}: {said}')

    def add_to_slice(self, temp, folder):
        tools = temp / 'tools'
        tools.mkdir()
        (tools / 'systemctl').write_text('#!/bin/sh\ncase $1 in\n'
                                         'list-units) printf "a.service loaded\\nb.service loaded\\n" ;;\n'
                                         'show) [ "$4" = a.service ] && echo web.slice || echo system.slice ;;\nesac\n')
        (tools / 'systemctl').chmod(0o755)
        subprocess.run([folder / 'add-to-slice', 'web.slice', folder / 'clockshim.conf'], check=False, capture_output=True,
                       env={**os.environ, 'PATH': f'{tools}:{os.environ["PATH"]}', 'DESTDIR': str(temp / 'root')})
        made = [str(path.relative_to(temp / 'root')) for path in (temp / 'root').rglob('*') if path.is_file()]
        if made != ['etc/systemd/system/a.service.d/clockshim.conf']:
            self.wrong(f'add-to-slice: made {made}')

    def containers(self):
        if not yaml:
            self.left_out.append('python3-yaml')
            return
        pod = yaml.safe_load((self.examples / 'container/kubernetes.yaml').read_text(encoding='utf-8'))['spec']['template']['spec']
        volumes = {volume['name'] for volume in pod['volumes']}
        (init,), (app,) = pod['initContainers'], pod['containers']
        for container in (init, app):
            for mount in container['volumeMounts']:
                if mount['name'] not in volumes:
                    self.wrong(f'kubernetes.yaml: no volume {mount["name"]}')
        environment = {entry['name']: str(entry['value']) for entry in app['env']}
        self.check_environment('kubernetes.yaml', environment)
        compose = yaml.safe_load((self.examples / 'container/compose.yaml').read_text(encoding='utf-8'))['services']['app']
        self.check_environment('compose.yaml', compose['environment'])
        if compose['environment']['LD_PRELOAD'] not in {volume['target'] for volume in compose['volumes'] if volume['read_only']}:
            self.wrong('compose.yaml: LD_PRELOAD is not what is mounted')
        image = (self.examples / 'container/Dockerfile').read_text(encoding='utf-8')
        if not re.search(rf'ln -s .* {re.escape(init["command"][1])}$', image, re.M):
            self.wrong(f'Dockerfile: has no {init["command"][1]}')
        with tempfile.TemporaryDirectory() as name:
            self.run_pod(pathlib.Path(name), init, app, environment)

    def run_pod(self, temp, init, app, environment):
        """Init container and program in bwrap, each with this system as its read-only root."""
        root = ['bwrap', '--unshare-all', '--die-with-parent', '--tmpfs', '/', *sum((['--ro-bind', f'/{name}', f'/{name}'] for name in ('usr', 'etc')), []),
                *sum((['--symlink', f'usr/{name}', f'/{name}'] for name in ('bin', 'sbin', 'lib', 'lib64')), []), '--proc', '/proc', '--dev', '/dev']
        if subprocess.run([*root, 'true'], capture_output=True, check=False).returncode:
            self.left_out.append('bwrap')
            return

        def start(container, more, command):
            binds = []
            for mount in container['volumeMounts']:
                (temp / mount['name']).mkdir(exist_ok=True)
                binds += ['--ro-bind' if mount.get('readOnly') else '--bind', temp / mount['name'], mount['mountPath']]
            done = subprocess.run([*root, *binds, *more, '--remount-ro', '/', *command], capture_output=True, text=True, check=False,
                                  env={'PATH': '/usr/bin:/bin'})
            if done.returncode or done.stderr:
                self.wrong(f'kubernetes.yaml, {container["name"]}: status {done.returncode} {done.stderr.strip()}')

        start(init, ['--ro-bind', self.library, init['command'][1]], init['command'])
        start(app, sum((['--setenv', name, value] for name, value in environment.items()), []), ['date'])
        if not list((temp / 'reports').glob('date.*.json')):
            self.wrong('kubernetes.yaml: the program has left no report')

    def ansible(self):
        if not yaml:
            return
        for task in yaml.safe_load((self.examples / 'ansible/tasks.yml').read_text(encoding='utf-8')):
            modules = [key for key in task if key.startswith('ansible.builtin.')]
            unknown = set(task) - set(modules) - {'name', 'loop', 'register', 'failed_when', 'changed_when', 'when'}
            if len(modules) != 1 or unknown or 'name' not in task:
                self.wrong(f'tasks.yml: {task.get("name")}: {modules} {sorted(unknown)}')
                continue
            source = task[modules[0]].get('src', '') if isinstance(task[modules[0]], dict) else ''
            if source.endswith('.conf') and not (self.examples / 'systemd' / source).exists():
                self.wrong(f'tasks.yml: {task["name"]}: no {source}')

    def prometheus(self):
        with tempfile.TemporaryDirectory() as name:
            temp = pathlib.Path(name)
            environment = {**os.environ, 'PATH': f'{self.command.parent}:{os.environ["PATH"]}', 'CLOCKSHIM_DIR': str(temp / 'live')}
            script = [self.examples / 'prometheus/clockshim-textfile', temp]
            for running in (False, True):
                # A program that reads the clock and stays.
                program = [sys.executable, '-c', 'import time; time.time(); print(flush=True); time.sleep(60)']
                with subprocess.Popen(program if running else ['true'], stdout=subprocess.PIPE,
                                      env={**environment, 'LD_PRELOAD': str(self.library), 'CLOCKSHIM_REPORT': 'none'}) as process:
                    process.stdout.readline()
                    time.sleep(0.1)
                    done = subprocess.run(script, env=environment, capture_output=True, text=True, check=False)
                    process.kill()
                file = temp / 'clockshim.prom'
                if done.returncode or not file.exists():
                    self.wrong(f'clockshim-textfile: {done.stderr.strip()}')
                    continue
                self.check_metrics(file.read_text(encoding='utf-8'), running)
                if running:
                    self.check_names(script, environment)
        self.check_rules()

    def check_metrics(self, text, running):
        named = {}
        for line in text.splitlines():
            words = line.split(' ')
            if line.startswith(('# HELP ', '# TYPE ')):
                named.setdefault(words[2], set()).add(words[1])
            elif not SAMPLE.match(line) or named.get(re.split('[{ ]', line)[0]) != {'HELP', 'TYPE'}:
                self.wrong(f'clockshim-textfile: {line}')
        if running != ('\nclockshim_calls_total{' in text) or running != bool(text):
            self.wrong(f'clockshim-textfile: {text[:200]}')
        if running and shutil.which('promtool'):
            done = subprocess.run(['promtool', 'check', 'metrics'], input=text, capture_output=True, text=True, check=False)
            if done.returncode or done.stderr:
                self.wrong(f'clockshim-textfile: {done.stderr.strip()}')

    def check_names(self, script, environment):
        """OpenMetrics names all families, the format of the script only those that have samples."""
        done = subprocess.run(['sh', '-c', 'clockshim report --format openmetrics "$(clockshim list | awk \'NR == 2 { print $1 }\')"'],
                              env=environment, capture_output=True, text=True, check=False)
        there = {name + ('_total' if kind == 'counter' else '') for name, kind in re.findall(r'^# TYPE (\w+) (\w+)$', done.stdout, re.M)}
        for file in ('dashboard.json', 'clockshim.rules.yml'):
            for name in set(re.findall(r'\bclockshim_\w+', (script[0].parent / file).read_text(encoding='utf-8'))):
                if name not in there:
                    self.wrong(f'{file}: there is no metric {name}')

    def check_rules(self):
        panels = json.loads((self.examples / 'prometheus/dashboard.json').read_text(encoding='utf-8'))['panels']
        if len({panel['id'] for panel in panels}) != len(panels) or not all(panel['targets'] for panel in panels):
            self.wrong('dashboard.json: two panels have one id, or one has no query')
        if not shutil.which('promtool'):
            self.left_out.append('promtool')
            return
        with tempfile.TemporaryDirectory() as name:
            for file in (self.examples / 'prometheus/clockshim.rules.yml', pathlib.Path(__file__).with_name('rules_test.yml')):
                shutil.copy(file, name)
            queries = {'groups': [{'name': 'panels', 'rules': [
                {'record': 'panel', 'expr': re.sub(r'\$__rate_interval', '5m', target['expr'])} for panel in panels for target in panel['targets']]}]}
            (pathlib.Path(name) / 'dashboard.yml').write_text(json.dumps(queries), encoding='utf-8')
            for words in (['check', 'rules', 'clockshim.rules.yml'], ['test', 'rules', 'rules_test.yml'],
                          ['check', 'rules', '--lint=none', 'dashboard.yml']):
                done = subprocess.run(['promtool', *words], cwd=name, capture_output=True, text=True, check=False)
                if done.returncode:
                    self.wrong(f'promtool {" ".join(words)}: {done.stdout} {done.stderr}')

    def all(self):
        for part in (self.systemd, self.containers, self.ansible, self.prometheus):
            try:
                part()
            except (KeyError, ValueError, TypeError, OSError) as error:
                self.wrong(f'{part.__name__}: {type(error).__name__} {error}')
        return self.errors


# What the examples of a folder can't be tried without.
NEEDED = {'systemd': {'systemd-analyze'}, 'container': {'python3-yaml', 'bwrap'}, 'ansible': {'python3-yaml'}, 'prometheus': {'promtool', 'systemd-analyze'}}

# Mistakes, each a text and what it becomes.
PLANTED = {
    'systemd/clockshim.conf': [('CLOCKSHIM_REPORT', 'CLOCKSHIM_REPROT'), ('RuntimeDirectory=', 'RuntimeFolder=')],
    'systemd/system.conf': [('libclockshim.so ', 'libclock.so '), ('CLOCKSHIM_ONLY=redis-server,postgres ', '')],
    'systemd/add-to-slice': [('= "$slice"', '!= "$slice"')],
    'container/kubernetes.yaml': [('{name: reports, mount', '{name: report, mount'), ('"/clockshim/libclockshim.so"]', '"/clockshim/lib.so"]'),
                                  ('value: /reports/%e', 'value: /var/%e')],
    'container/compose.yaml': [('target: /clockshim/', 'target: /opt/')],
    'container/Dockerfile': [('/libclockshim.so\n', '/lib.so\n')],
    'ansible/tasks.yml': [('loop: [', 'lop: ['), ('src: clockshim.conf', 'src: clock.conf')],
    'prometheus/clockshim-textfile': [('format prometheus', 'format folded'), ('format prometheus', 'format openmetrics'), ('running', 'lost')],
    'prometheus/clockshim.rules.yml': [('answer="real"', 'answer="served"'), ('clockshim_over_tolerance_total', 'clockshim_over_total')],
    'prometheus/dashboard.json': [('clockshim_mode{', 'clockshim_modes{'), ('[$__rate_interval]', '$__rate_interval')],
    'prometheus/clockshim-textfile.service': [('Type=oneshot', 'Typ=oneshot')],
}


def self_test(*given):
    """Returns what was not found, or was found where nothing is wrong."""
    clean = Trial(*given)
    errors = list(clean.all())
    for file, mistakes in PLANTED.items():
        for right, wrong in mistakes:
            with tempfile.TemporaryDirectory() as name:
                copy = pathlib.Path(name) / 'examples'
                shutil.copytree(given[2], copy)
                text = (copy / file).read_text(encoding='utf-8')
                (copy / file).write_text(text.replace(right, wrong), encoding='utf-8')
                trial = Trial(*given[:2], copy, given[3])
                if right not in text or not trial.all() and not NEEDED[file.split('/')[0]] & set(trial.left_out):
                    errors.append(f'{file}: "{wrong}" for "{right}": nothing found')
    return errors, clean.left_out


def main():
    *names, last = sys.argv[1:]
    planted = last == '--self-test'
    given = [pathlib.Path(name).resolve() for name in (names if planted else sys.argv[1:])]
    if planted:
        errors, left_out = self_test(*given)
    else:
        trial = Trial(*given)
        errors, left_out = trial.all(), trial.left_out
    print(f'{len(errors)} errors', *errors, sep='\n')
    for name in left_out:
        print(f'left out, as there is no {name}, or it is not allowed')
    return 1 if errors else 0


if __name__ == '__main__':
    sys.exit(main())
