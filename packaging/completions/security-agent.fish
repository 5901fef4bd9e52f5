# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_security_agent_global_optspecs
    string join \n c/cfgpath= h/help V/version
end

function __fish_security_agent_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_security_agent_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_security_agent_using_subcommand
    set -l cmd (__fish_security_agent_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c security-agent -n "__fish_security_agent_needs_command" -s c -l cfgpath -d 'Configuration file, or directory of datadog.yaml and security-agent.yaml; may be given several times, the last file wins. Default: those in /etc/datadog-agent' -r -F
complete -c security-agent -n "__fish_security_agent_needs_command" -s h -l help -d 'Print help'
complete -c security-agent -n "__fish_security_agent_needs_command" -s V -l version -d 'Print version'
complete -c security-agent -n "__fish_security_agent_needs_command" -f -a "start" -d 'Runs in the foreground until SIGTERM or SIGINT; SIGHUP loads the policies again'
complete -c security-agent -n "__fish_security_agent_needs_command" -f -a "status" -d 'Asks the running agent, and system-probe, how they are'
complete -c security-agent -n "__fish_security_agent_needs_command" -f -a "config" -d 'Prints the configuration of the running agent: every key, its value, and where that comes from'
complete -c security-agent -n "__fish_security_agent_needs_command" -f -a "flare" -d 'Collects what somebody who helps needs to know into an archive, without secrets. Nothing is sent'
complete -c security-agent -n "__fish_security_agent_needs_command" -f -a "version" -d 'Prints the version'
complete -c security-agent -n "__fish_security_agent_needs_command" -f -a "runtime" -d 'Rules, policies and events'
complete -c security-agent -n "__fish_security_agent_needs_command" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c security-agent -n "__fish_security_agent_using_subcommand start" -s p -l pidfile -d 'Write the process id to this file' -r -F
complete -c security-agent -n "__fish_security_agent_using_subcommand start" -l replay -d 'Evaluate a capture, print its signals and end: needs no probe, no particular kernel and no root' -r -F
complete -c security-agent -n "__fish_security_agent_using_subcommand start" -s c -l cfgpath -d 'Configuration file, or directory of datadog.yaml and security-agent.yaml; may be given several times, the last file wins. Default: those in /etc/datadog-agent' -r -F
complete -c security-agent -n "__fish_security_agent_using_subcommand start" -s h -l help -d 'Print help'
complete -c security-agent -n "__fish_security_agent_using_subcommand status" -s c -l cfgpath -d 'Configuration file, or directory of datadog.yaml and security-agent.yaml; may be given several times, the last file wins. Default: those in /etc/datadog-agent' -r -F
complete -c security-agent -n "__fish_security_agent_using_subcommand status" -s j -l json -d 'Print one JSON object: `agent` and `probe`, or an `error` in the place of each'
complete -c security-agent -n "__fish_security_agent_using_subcommand status" -s h -l help -d 'Print help'
complete -c security-agent -n "__fish_security_agent_using_subcommand config; and not __fish_seen_subcommand_from get set list-runtime help" -s c -l cfgpath -d 'Configuration file, or directory of datadog.yaml and security-agent.yaml; may be given several times, the last file wins. Default: those in /etc/datadog-agent' -r -F
complete -c security-agent -n "__fish_security_agent_using_subcommand config; and not __fish_seen_subcommand_from get set list-runtime help" -s j -l json -d 'Print one JSON array in place of lines'
complete -c security-agent -n "__fish_security_agent_using_subcommand config; and not __fish_seen_subcommand_from get set list-runtime help" -s h -l help -d 'Print help'
complete -c security-agent -n "__fish_security_agent_using_subcommand config; and not __fish_seen_subcommand_from get set list-runtime help" -f -a "get" -d 'Prints the value of one key'
complete -c security-agent -n "__fish_security_agent_using_subcommand config; and not __fish_seen_subcommand_from get set list-runtime help" -f -a "set" -d 'Changes a setting of the running agent until it ends: `log_level` to trace, debug, info, warn, error or off'
complete -c security-agent -n "__fish_security_agent_using_subcommand config; and not __fish_seen_subcommand_from get set list-runtime help" -f -a "list-runtime" -d 'Lists the settings that can be changed while the agent runs'
complete -c security-agent -n "__fish_security_agent_using_subcommand config; and not __fish_seen_subcommand_from get set list-runtime help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c security-agent -n "__fish_security_agent_using_subcommand config; and __fish_seen_subcommand_from get" -s c -l cfgpath -d 'Configuration file, or directory of datadog.yaml and security-agent.yaml; may be given several times, the last file wins. Default: those in /etc/datadog-agent' -r -F
complete -c security-agent -n "__fish_security_agent_using_subcommand config; and __fish_seen_subcommand_from get" -s h -l help -d 'Print help'
complete -c security-agent -n "__fish_security_agent_using_subcommand config; and __fish_seen_subcommand_from set" -s c -l cfgpath -d 'Configuration file, or directory of datadog.yaml and security-agent.yaml; may be given several times, the last file wins. Default: those in /etc/datadog-agent' -r -F
complete -c security-agent -n "__fish_security_agent_using_subcommand config; and __fish_seen_subcommand_from set" -s h -l help -d 'Print help'
complete -c security-agent -n "__fish_security_agent_using_subcommand config; and __fish_seen_subcommand_from list-runtime" -s c -l cfgpath -d 'Configuration file, or directory of datadog.yaml and security-agent.yaml; may be given several times, the last file wins. Default: those in /etc/datadog-agent' -r -F
complete -c security-agent -n "__fish_security_agent_using_subcommand config; and __fish_seen_subcommand_from list-runtime" -s h -l help -d 'Print help'
complete -c security-agent -n "__fish_security_agent_using_subcommand config; and __fish_seen_subcommand_from help" -f -a "get" -d 'Prints the value of one key'
complete -c security-agent -n "__fish_security_agent_using_subcommand config; and __fish_seen_subcommand_from help" -f -a "set" -d 'Changes a setting of the running agent until it ends: `log_level` to trace, debug, info, warn, error or off'
complete -c security-agent -n "__fish_security_agent_using_subcommand config; and __fish_seen_subcommand_from help" -f -a "list-runtime" -d 'Lists the settings that can be changed while the agent runs'
complete -c security-agent -n "__fish_security_agent_using_subcommand config; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c security-agent -n "__fish_security_agent_using_subcommand flare" -s o -l output -d 'The archive (.tar.gz). Default: a new one in the directory for temporary files' -r -F
complete -c security-agent -n "__fish_security_agent_using_subcommand flare" -s c -l cfgpath -d 'Configuration file, or directory of datadog.yaml and security-agent.yaml; may be given several times, the last file wins. Default: those in /etc/datadog-agent' -r -F
complete -c security-agent -n "__fish_security_agent_using_subcommand flare" -s h -l help -d 'Print help'
complete -c security-agent -n "__fish_security_agent_using_subcommand version" -s c -l cfgpath -d 'Configuration file, or directory of datadog.yaml and security-agent.yaml; may be given several times, the last file wins. Default: those in /etc/datadog-agent' -r -F
complete -c security-agent -n "__fish_security_agent_using_subcommand version" -s h -l help -d 'Print help'
complete -c security-agent -n "__fish_security_agent_using_subcommand runtime; and not __fish_seen_subcommand_from capture policy reload self-test process-cache fields eval help" -s c -l cfgpath -d 'Configuration file, or directory of datadog.yaml and security-agent.yaml; may be given several times, the last file wins. Default: those in /etc/datadog-agent' -r -F
complete -c security-agent -n "__fish_security_agent_using_subcommand runtime; and not __fish_seen_subcommand_from capture policy reload self-test process-cache fields eval help" -s h -l help -d 'Print help'
complete -c security-agent -n "__fish_security_agent_using_subcommand runtime; and not __fish_seen_subcommand_from capture policy reload self-test process-cache fields eval help" -f -a "capture" -d 'Writes the stream of the running agent, or of system-probe if no agent runs, into a file'
complete -c security-agent -n "__fish_security_agent_using_subcommand runtime; and not __fish_seen_subcommand_from capture policy reload self-test process-cache fields eval help" -f -a "policy" -d 'Checks, tests and reloads policies'
complete -c security-agent -n "__fish_security_agent_using_subcommand runtime; and not __fish_seen_subcommand_from capture policy reload self-test process-cache fields eval help" -f -a "reload" -d 'Lets the running agent load its policies again'
complete -c security-agent -n "__fish_security_agent_using_subcommand runtime; and not __fish_seen_subcommand_from capture policy reload self-test process-cache fields eval help" -f -a "self-test" -d 'Lets the running agent test whether events come through'
complete -c security-agent -n "__fish_security_agent_using_subcommand runtime; and not __fish_seen_subcommand_from capture policy reload self-test process-cache fields eval help" -f -a "process-cache" -d 'The processes that the running agent knows'
complete -c security-agent -n "__fish_security_agent_using_subcommand runtime; and not __fish_seen_subcommand_from capture policy reload self-test process-cache fields eval help" -f -a "fields" -d 'Lists the fields that rules can use'
complete -c security-agent -n "__fish_security_agent_using_subcommand runtime; and not __fish_seen_subcommand_from capture policy reload self-test process-cache fields eval help" -f -a "eval" -d 'Evaluates expressions on events that are written down'
complete -c security-agent -n "__fish_security_agent_using_subcommand runtime; and not __fish_seen_subcommand_from capture policy reload self-test process-cache fields eval help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c security-agent -n "__fish_security_agent_using_subcommand runtime; and __fish_seen_subcommand_from capture" -l duration -d 'End after this time, such as `30s` or `5m`; without it, at Ctrl-C' -r
complete -c security-agent -n "__fish_security_agent_using_subcommand runtime; and __fish_seen_subcommand_from capture" -s c -l cfgpath -d 'Configuration file, or directory of datadog.yaml and security-agent.yaml; may be given several times, the last file wins. Default: those in /etc/datadog-agent' -r -F
complete -c security-agent -n "__fish_security_agent_using_subcommand runtime; and __fish_seen_subcommand_from capture" -s h -l help -d 'Print help'
complete -c security-agent -n "__fish_security_agent_using_subcommand runtime; and __fish_seen_subcommand_from policy" -s c -l cfgpath -d 'Configuration file, or directory of datadog.yaml and security-agent.yaml; may be given several times, the last file wins. Default: those in /etc/datadog-agent' -r -F
complete -c security-agent -n "__fish_security_agent_using_subcommand runtime; and __fish_seen_subcommand_from policy" -s h -l help -d 'Print help'
complete -c security-agent -n "__fish_security_agent_using_subcommand runtime; and __fish_seen_subcommand_from policy" -f -a "reload" -d 'Lets the running agent load its policies again'
complete -c security-agent -n "__fish_security_agent_using_subcommand runtime; and __fish_seen_subcommand_from policy" -f -a "check" -d 'Says what loads, what is skipped and why, and what is wrong'
complete -c security-agent -n "__fish_security_agent_using_subcommand runtime; and __fish_seen_subcommand_from policy" -f -a "test" -d 'Runs the tests that stand beside rules'
complete -c security-agent -n "__fish_security_agent_using_subcommand runtime; and __fish_seen_subcommand_from policy" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c security-agent -n "__fish_security_agent_using_subcommand runtime; and __fish_seen_subcommand_from reload" -s c -l cfgpath -d 'Configuration file, or directory of datadog.yaml and security-agent.yaml; may be given several times, the last file wins. Default: those in /etc/datadog-agent' -r -F
complete -c security-agent -n "__fish_security_agent_using_subcommand runtime; and __fish_seen_subcommand_from reload" -s h -l help -d 'Print help'
complete -c security-agent -n "__fish_security_agent_using_subcommand runtime; and __fish_seen_subcommand_from self-test" -s c -l cfgpath -d 'Configuration file, or directory of datadog.yaml and security-agent.yaml; may be given several times, the last file wins. Default: those in /etc/datadog-agent' -r -F
complete -c security-agent -n "__fish_security_agent_using_subcommand runtime; and __fish_seen_subcommand_from self-test" -s h -l help -d 'Print help'
complete -c security-agent -n "__fish_security_agent_using_subcommand runtime; and __fish_seen_subcommand_from process-cache" -s c -l cfgpath -d 'Configuration file, or directory of datadog.yaml and security-agent.yaml; may be given several times, the last file wins. Default: those in /etc/datadog-agent' -r -F
complete -c security-agent -n "__fish_security_agent_using_subcommand runtime; and __fish_seen_subcommand_from process-cache" -s h -l help -d 'Print help'
complete -c security-agent -n "__fish_security_agent_using_subcommand runtime; and __fish_seen_subcommand_from process-cache" -f -a "dump" -d 'Writes the processes that the running agent knows into a file'
complete -c security-agent -n "__fish_security_agent_using_subcommand runtime; and __fish_seen_subcommand_from process-cache" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c security-agent -n "__fish_security_agent_using_subcommand runtime; and __fish_seen_subcommand_from fields" -s c -l cfgpath -d 'Configuration file, or directory of datadog.yaml and security-agent.yaml; may be given several times, the last file wins. Default: those in /etc/datadog-agent' -r -F
complete -c security-agent -n "__fish_security_agent_using_subcommand runtime; and __fish_seen_subcommand_from fields" -l json -d 'Print one JSON array with all that is known of each field'
complete -c security-agent -n "__fish_security_agent_using_subcommand runtime; and __fish_seen_subcommand_from fields" -s h -l help -d 'Print help'
complete -c security-agent -n "__fish_security_agent_using_subcommand runtime; and __fish_seen_subcommand_from eval" -l cases -d 'File of cases; `-` reads standard input' -r -F
complete -c security-agent -n "__fish_security_agent_using_subcommand runtime; and __fish_seen_subcommand_from eval" -s c -l cfgpath -d 'Configuration file, or directory of datadog.yaml and security-agent.yaml; may be given several times, the last file wins. Default: those in /etc/datadog-agent' -r -F
complete -c security-agent -n "__fish_security_agent_using_subcommand runtime; and __fish_seen_subcommand_from eval" -s h -l help -d 'Print help'
complete -c security-agent -n "__fish_security_agent_using_subcommand runtime; and __fish_seen_subcommand_from help" -f -a "capture" -d 'Writes the stream of the running agent, or of system-probe if no agent runs, into a file'
complete -c security-agent -n "__fish_security_agent_using_subcommand runtime; and __fish_seen_subcommand_from help" -f -a "policy" -d 'Checks, tests and reloads policies'
complete -c security-agent -n "__fish_security_agent_using_subcommand runtime; and __fish_seen_subcommand_from help" -f -a "reload" -d 'Lets the running agent load its policies again'
complete -c security-agent -n "__fish_security_agent_using_subcommand runtime; and __fish_seen_subcommand_from help" -f -a "self-test" -d 'Lets the running agent test whether events come through'
complete -c security-agent -n "__fish_security_agent_using_subcommand runtime; and __fish_seen_subcommand_from help" -f -a "process-cache" -d 'The processes that the running agent knows'
complete -c security-agent -n "__fish_security_agent_using_subcommand runtime; and __fish_seen_subcommand_from help" -f -a "fields" -d 'Lists the fields that rules can use'
complete -c security-agent -n "__fish_security_agent_using_subcommand runtime; and __fish_seen_subcommand_from help" -f -a "eval" -d 'Evaluates expressions on events that are written down'
complete -c security-agent -n "__fish_security_agent_using_subcommand runtime; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c security-agent -n "__fish_security_agent_using_subcommand help; and not __fish_seen_subcommand_from start status config flare version runtime help" -f -a "start" -d 'Runs in the foreground until SIGTERM or SIGINT; SIGHUP loads the policies again'
complete -c security-agent -n "__fish_security_agent_using_subcommand help; and not __fish_seen_subcommand_from start status config flare version runtime help" -f -a "status" -d 'Asks the running agent, and system-probe, how they are'
complete -c security-agent -n "__fish_security_agent_using_subcommand help; and not __fish_seen_subcommand_from start status config flare version runtime help" -f -a "config" -d 'Prints the configuration of the running agent: every key, its value, and where that comes from'
complete -c security-agent -n "__fish_security_agent_using_subcommand help; and not __fish_seen_subcommand_from start status config flare version runtime help" -f -a "flare" -d 'Collects what somebody who helps needs to know into an archive, without secrets. Nothing is sent'
complete -c security-agent -n "__fish_security_agent_using_subcommand help; and not __fish_seen_subcommand_from start status config flare version runtime help" -f -a "version" -d 'Prints the version'
complete -c security-agent -n "__fish_security_agent_using_subcommand help; and not __fish_seen_subcommand_from start status config flare version runtime help" -f -a "runtime" -d 'Rules, policies and events'
complete -c security-agent -n "__fish_security_agent_using_subcommand help; and not __fish_seen_subcommand_from start status config flare version runtime help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c security-agent -n "__fish_security_agent_using_subcommand help; and __fish_seen_subcommand_from config" -f -a "get" -d 'Prints the value of one key'
complete -c security-agent -n "__fish_security_agent_using_subcommand help; and __fish_seen_subcommand_from config" -f -a "set" -d 'Changes a setting of the running agent until it ends: `log_level` to trace, debug, info, warn, error or off'
complete -c security-agent -n "__fish_security_agent_using_subcommand help; and __fish_seen_subcommand_from config" -f -a "list-runtime" -d 'Lists the settings that can be changed while the agent runs'
complete -c security-agent -n "__fish_security_agent_using_subcommand help; and __fish_seen_subcommand_from runtime" -f -a "capture" -d 'Writes the stream of the running agent, or of system-probe if no agent runs, into a file'
complete -c security-agent -n "__fish_security_agent_using_subcommand help; and __fish_seen_subcommand_from runtime" -f -a "policy" -d 'Checks, tests and reloads policies'
complete -c security-agent -n "__fish_security_agent_using_subcommand help; and __fish_seen_subcommand_from runtime" -f -a "reload" -d 'Lets the running agent load its policies again'
complete -c security-agent -n "__fish_security_agent_using_subcommand help; and __fish_seen_subcommand_from runtime" -f -a "self-test" -d 'Lets the running agent test whether events come through'
complete -c security-agent -n "__fish_security_agent_using_subcommand help; and __fish_seen_subcommand_from runtime" -f -a "process-cache" -d 'The processes that the running agent knows'
complete -c security-agent -n "__fish_security_agent_using_subcommand help; and __fish_seen_subcommand_from runtime" -f -a "fields" -d 'Lists the fields that rules can use'
complete -c security-agent -n "__fish_security_agent_using_subcommand help; and __fish_seen_subcommand_from runtime" -f -a "eval" -d 'Evaluates expressions on events that are written down'
