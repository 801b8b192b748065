"""
Owns what the kernel forbids to a process of ours, set before it becomes Node: no new privileges, no write to any file
but those named (Landlock), no socket of any family and none of the system calls below (seccomp). Needs no root, no
package, no compiler. Refuses to stop a start: what a kernel lacks is left out, and runtime/layers/ tries what holds.

    python3 -I -S -B lockdown.py [PATH that may be written ...] -- PROGRAM [ARGUMENT ...]

All of it survives the exec, is inherited by children and cannot be undone. Sources: prctl(2), seccomp(2),
landlock(7) and linux/landlock.h (ABI 1 to 7), linux/seccomp.h, linux/audit.h, and the kernel's two tables of system
calls (arch/x86/entry/syscalls/syscall_64.tbl, scripts/syscall.tbl).
"""
import os
import struct
import sys

# Name: number on x86-64, number on aarch64; None where there is none.
DENIED = {
    # What leads to another machine or process. The channel to the parent is open already.
    'socket': (41, 198), 'socketpair': (53, 199), 'connect': (42, 203), 'bind': (49, 200), 'listen': (50, 201),
    'accept': (43, 202), 'accept4': (288, 242),
    # A second way to files and sockets that no filter sees.
    'io_uring_setup': (425, 425), 'io_uring_enter': (426, 426), 'io_uring_register': (427, 427),
    # Another process's memory and descriptors.
    'ptrace': (101, 117), 'process_vm_readv': (310, 270), 'process_vm_writev': (311, 271), 'kcmp': (312, 272),
    'pidfd_getfd': (438, 438), 'process_madvise': (440, 440), 'perf_event_open': (298, 241), 'userfaultfd': (323, 282),
    # What outlives the process without being a file that Landlock sees.
    'add_key': (248, 217), 'request_key': (249, 218), 'keyctl': (250, 219), 'mq_open': (240, 180),
    'shmget': (29, 194), 'shmat': (30, 196), 'semget': (64, 190), 'msgget': (68, 186), 'msgsnd': (69, 189),
    'setxattr': (188, 5), 'lsetxattr': (189, 6), 'fsetxattr': (190, 7), 'setxattrat': (463, 463),
    # The machine itself, should the server run as root.
    'mount': (165, 40), 'umount2': (166, 39), 'pivot_root': (155, 41), 'chroot': (161, 51), 'open_tree': (428, 428),
    'move_mount': (429, 429), 'fsopen': (430, 430), 'fsconfig': (431, 431), 'fsmount': (432, 432), 'fspick': (433, 433),
    'mount_setattr': (442, 442), 'unshare': (272, 97), 'setns': (308, 268), 'open_by_handle_at': (304, 265),
    'fanotify_init': (300, 262), 'bpf': (321, 280), 'init_module': (175, 105), 'finit_module': (313, 273),
    'delete_module': (176, 106), 'kexec_load': (246, 104), 'kexec_file_load': (320, 294), 'reboot': (169, 142),
    'swapon': (167, 224), 'swapoff': (168, 225), 'acct': (163, 89), 'quotactl': (179, 60), 'syslog': (103, 116),
    'sethostname': (170, 161), 'settimeofday': (164, 170), 'clock_settime': (227, 112), 'adjtimex': (159, 171),
    'clock_adjtime': (305, 266), 'iopl': (172, None), 'ioperm': (173, None),
}
# By os.uname().machine: column above, AUDIT_ARCH of linux/audit.h, number of seccomp(2).
MACHINES = {'x86_64': (0, 0xC000003E, 317), 'aarch64': (1, 0xC00000B7, 277)}
X32_BIT = 0x40000000

PR_SET_NO_NEW_PRIVS = 38
SECCOMP_SET_MODE_FILTER = 1
# Without it kernels before 5.16 switch a CPU protection on that slows compiled kernels of software devices down.
SECCOMP_FILTER_FLAG_SPEC_ALLOW = 4
RET_KILL_PROCESS, RET_ALLOW, RET_EPERM = 0x80000000, 0x7FFF0000, 0x00050000 | 1
LOAD, JUMP_EQUAL, JUMP_NOT_BELOW, RETURN = 0x20, 0x15, 0x35, 0x06

LANDLOCK_CREATE_RULESET, LANDLOCK_ADD_RULE, LANDLOCK_RESTRICT_SELF = 444, 445, 446
LANDLOCK_CREATE_RULESET_VERSION = 1
LANDLOCK_RULE_PATH_BENEATH = 1
WRITE_FILE, REFER, TRUNCATE = 1 << 1, 1 << 13, 1 << 14
# Files and folders removed, and nodes of each kind made: bits 4 to 12.
CHANGE_FOLDER = sum(1 << bit for bit in range(4, 13))
BIND_AND_CONNECT_TCP = 3
SCOPE_ABSTRACT_SOCKETS_AND_SIGNALS = 3


def build_filter(denied, architecture, has_x32):
    """The BPF program: another architecture ends the process, a denied call gives EPERM, the rest goes on."""
    checks = [(JUMP_NOT_BELOW, X32_BIT)] if has_x32 else []
    checks += [(JUMP_EQUAL, number) for number in sorted(denied)]
    program = [(LOAD, 0, 0, 4), (JUMP_EQUAL, 1, 0, architecture), (RETURN, 0, 0, RET_KILL_PROCESS), (LOAD, 0, 0, 0)]
    for index, (code, value) in enumerate(checks):
        # Over the checks that are left and the return that allows.
        program.append((code, len(checks) - index, 0, value))
    program += [(RETURN, 0, 0, RET_ALLOW), (RETURN, 0, 0, RET_EPERM)]
    return program


def deny_calls(ctypes, libc):
    machine = MACHINES.get(os.uname().machine)
    # A 32-bit Python on a 64-bit kernel would name calls by other numbers.
    if machine is None or sys.maxsize < 2**32:
        return
    column, architecture, seccomp = machine
    denied = [numbers[column] for numbers in DENIED.values() if numbers[column] is not None]
    program = build_filter(denied, architecture, column == 0)
    code = ctypes.create_string_buffer(b''.join(struct.pack('=HBBI', *line) for line in program))
    header = ctypes.create_string_buffer(struct.pack('@HP', len(program), ctypes.addressof(code)))
    libc.syscall(seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_SPEC_ALLOW, header)


def deny_writes(libc, paths):
    version = libc.syscall(LANDLOCK_CREATE_RULESET, None, 0, LANDLOCK_CREATE_RULESET_VERSION)
    if version < 1:
        return
    of_file = WRITE_FILE | (TRUNCATE if version >= 3 else 0)
    of_folder = of_file | CHANGE_FOLDER | (REFER if version >= 2 else 0)
    attributes = struct.pack('=QQQ', of_folder, BIND_AND_CONNECT_TCP, SCOPE_ABSTRACT_SOCKETS_AND_SIGNALS)
    size = 24 if version >= 6 else 16 if version >= 4 else 8
    rules = libc.syscall(LANDLOCK_CREATE_RULESET, attributes, size, 0)
    if rules < 0:
        return
    for path in paths:
        try:
            place = os.open(path, os.O_PATH | os.O_CLOEXEC)
        except OSError:
            # Not there, so nothing to be written.
            continue
        allowed = of_folder if os.path.isdir(path) else of_file
        libc.syscall(LANDLOCK_ADD_RULE, rules, LANDLOCK_RULE_PATH_BENEATH, struct.pack('=Qi', allowed, place), 0)
        os.close(place)
    libc.syscall(LANDLOCK_RESTRICT_SELF, rules, 0)
    os.close(rules)


def main():
    end = sys.argv.index('--')
    paths, command = sys.argv[1:end], sys.argv[end + 1:]
    # As it was given: Python adds a variable of its own where no language is set.
    with open('/proc/self/environ', 'rb') as file:
        environment = dict(line.split(b'=', 1) for line in file.read().split(b'\0') if b'=' in line)
    try:
        import ctypes
        libc = ctypes.CDLL(None)
        libc.syscall.restype = ctypes.c_long
        if libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0:
            deny_writes(libc, paths)
            # Last: it is the one that could deny what the others need.
            deny_calls(ctypes, libc)
    except (ImportError, OSError, AttributeError):
        # A small Python without ctypes.
        pass
    os.execve(command[0], command, environment)


main()
