# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_system_probe_global_optspecs
    string join \n h/help V/version
end

function __fish_system_probe_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_system_probe_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_system_probe_using_subcommand
    set -l cmd (__fish_system_probe_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c system-probe -n "__fish_system_probe_needs_command" -s h -l help -d 'Print help'
complete -c system-probe -n "__fish_system_probe_needs_command" -s V -l version -d 'Print version'
complete -c system-probe -n "__fish_system_probe_needs_command" -f -a "run" -d 'Runs in the foreground until SIGTERM or SIGINT'
complete -c system-probe -n "__fish_system_probe_needs_command" -f -a "check" -d 'Shows what this kernel can do and how each event is watched; loads and attaches all of it for that moment'
complete -c system-probe -n "__fish_system_probe_needs_command" -f -a "version" -d 'Prints the version'
complete -c system-probe -n "__fish_system_probe_needs_command" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c system-probe -n "__fish_system_probe_using_subcommand run" -s c -l config -d 'Configuration file, or the directory that holds system-probe.yaml' -r -F
complete -c system-probe -n "__fish_system_probe_using_subcommand run" -l plan -d 'Watches by programs of this kind alone, where there is a choice; for tests. Without it, the best that works' -r -f -a "fentry\t'Entry and return of functions inside the kernel'
kprobe\t'The same by probes (kprobe, kretprobe)'
tracepoint\t'Tracepoints of system calls'
old\t'The programs for kernels before 5.8, all of them'
oldest\t'The same as they are for kernels before 4.17'"
complete -c system-probe -n "__fish_system_probe_using_subcommand run" -s p -l pid -l pid-file -d 'File to write the process id to' -r -F
complete -c system-probe -n "__fish_system_probe_using_subcommand run" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c system-probe -n "__fish_system_probe_using_subcommand check" -s c -l config -d 'Configuration file, or the directory that holds system-probe.yaml' -r -F
complete -c system-probe -n "__fish_system_probe_using_subcommand check" -l plan -d 'Watches by programs of this kind alone, where there is a choice; for tests. Without it, the best that works' -r -f -a "fentry\t'Entry and return of functions inside the kernel'
kprobe\t'The same by probes (kprobe, kretprobe)'
tracepoint\t'Tracepoints of system calls'
old\t'The programs for kernels before 5.8, all of them'
oldest\t'The same as they are for kernels before 4.17'"
complete -c system-probe -n "__fish_system_probe_using_subcommand check" -l events -d 'Watches for so many seconds and counts the events by kind' -r
complete -c system-probe -n "__fish_system_probe_using_subcommand check" -l json -d 'Prints JSON'
complete -c system-probe -n "__fish_system_probe_using_subcommand check" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c system-probe -n "__fish_system_probe_using_subcommand version" -s h -l help -d 'Print help'
complete -c system-probe -n "__fish_system_probe_using_subcommand help; and not __fish_seen_subcommand_from run check version help" -f -a "run" -d 'Runs in the foreground until SIGTERM or SIGINT'
complete -c system-probe -n "__fish_system_probe_using_subcommand help; and not __fish_seen_subcommand_from run check version help" -f -a "check" -d 'Shows what this kernel can do and how each event is watched; loads and attaches all of it for that moment'
complete -c system-probe -n "__fish_system_probe_using_subcommand help; and not __fish_seen_subcommand_from run check version help" -f -a "version" -d 'Prints the version'
complete -c system-probe -n "__fish_system_probe_using_subcommand help; and not __fish_seen_subcommand_from run check version help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
