"""
What a locked process gets for each forbidden thing: started through the launcher's command by lockdown.test.ts, and once without.
Prints JSON: of each attempt `done` or the name of the error. Arguments: a folder that may be written, one that may not.
"""
import ctypes
import errno
import json
import os
import platform
import socket
import sys

libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long
# From <sys/syscall.h> of the two machines, by hand.
CALLS = {
    'ptrace': (101, 117), 'process_vm_readv': (310, 270), 'process_vm_writev': (311, 271), 'pidfd_getfd': (438, 438),
    'io_uring_setup': (425, 425), 'userfaultfd': (323, 282), 'perf_event_open': (298, 241), 'bpf': (321, 280),
    'keyctl': (250, 219), 'add_key': (248, 217), 'shmget': (29, 194), 'msgget': (68, 186), 'mq_open': (240, 180),
    'mount': (165, 40), 'unshare': (272, 97), 'setns': (308, 268), 'kexec_load': (246, 104), 'init_module': (175, 105),
    'setxattr': (188, 5), 'open_by_handle_at': (304, 265), 'getpid': (39, 172),
}
column = 0 if platform.machine() == 'x86_64' else 1


def name_of(action):
    try:
        action()
        return 'done'
    except OSError as error:
        return errno.errorcode.get(error.errno, str(error.errno))


def call(name, flag=0):
    ctypes.set_errno(0)
    # Bad addresses and descriptors: whoever is let in fails with another error than EPERM, or does nothing.
    result = libc.syscall(CALLS[name][column] | flag, -1, -1, -1, -1, -1, -1)
    return 'done' if result >= 0 else errno.errorcode.get(ctypes.get_errno(), '?')


def open_socket(family, kind):
    return lambda: socket.socket(family, kind).close()


def truncate_kept(path):
    with open(path, 'r+') as file:
        file.write('y')


def ask_for_tracing():
    """In a child, because what is traced stops."""
    child = os.fork()
    if child == 0:
        os._exit(0 if libc.ptrace(0, 0, None, None) == 0 else 1)
    if os.waitpid(child, 0)[1] != 0:
        raise PermissionError(errno.EPERM, '')


def main():
    allowed, forbidden = sys.argv[1:3]
    kept = os.path.join(forbidden, 'kept')
    outcomes = {
        'inet': name_of(open_socket(socket.AF_INET, socket.SOCK_STREAM)),
        'inet udp': name_of(open_socket(socket.AF_INET, socket.SOCK_DGRAM)),
        'inet6': name_of(open_socket(socket.AF_INET6, socket.SOCK_STREAM)),
        'unix': name_of(open_socket(socket.AF_UNIX, socket.SOCK_STREAM)),
        'netlink': name_of(open_socket(socket.AF_NETLINK, socket.SOCK_RAW)),
        'pair': name_of(lambda: socket.socketpair()),
        'read': name_of(lambda: open(kept).close()),
        'write new': name_of(lambda: open(os.path.join(forbidden, 'new'), 'w').close()),
        'write kept': name_of(lambda: truncate_kept(kept)),
        'truncate': name_of(lambda: os.truncate(kept, 0)),
        'make folder': name_of(lambda: os.mkdir(os.path.join(forbidden, 'folder'))),
        'make link': name_of(lambda: os.symlink('x', os.path.join(forbidden, 'link'))),
        'make pipe': name_of(lambda: os.mkfifo(os.path.join(forbidden, 'pipe'))),
        'rename': name_of(lambda: os.rename(kept, os.path.join(forbidden, 'renamed'))),
        'link into': name_of(lambda: os.link(kept, os.path.join(allowed, 'linked'))),
        'shared memory': name_of(lambda: open('/dev/shm/inward-probe', 'w').close()),
        'core filter': name_of(lambda: open('/proc/self/coredump_filter', 'w').close()),
        'write allowed': name_of(lambda: open(os.path.join(allowed, 'new'), 'w').close()),
        'signal parent': name_of(lambda: os.kill(os.getppid(), 0)),
        'signal itself': name_of(lambda: os.kill(os.getpid(), 0)),
        'traced': name_of(ask_for_tracing),
    }
    for name in CALLS:
        outcomes[f'call {name}'] = call(name)
    if column == 0:
        outcomes['call getpid as x32'] = call('getpid', 0x40000000)
    print(json.dumps(outcomes))


main()
