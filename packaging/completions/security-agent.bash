_security__agent() {
    local i cur prev opts cmd
    COMPREPLY=()
    if [[ "${BASH_VERSINFO[0]}" -ge 4 ]]; then
        cur="$2"
    else
        cur="${COMP_WORDS[COMP_CWORD]}"
    fi
    prev="$3"
    cmd=""
    opts=""

    for i in "${COMP_WORDS[@]:0:COMP_CWORD}"
    do
        case "${cmd},${i}" in
            ",$1")
                cmd="security__agent"
                ;;
            security__agent,config)
                cmd="security__agent__subcmd__config"
                ;;
            security__agent,flare)
                cmd="security__agent__subcmd__flare"
                ;;
            security__agent,help)
                cmd="security__agent__subcmd__help"
                ;;
            security__agent,runtime)
                cmd="security__agent__subcmd__runtime"
                ;;
            security__agent,start)
                cmd="security__agent__subcmd__start"
                ;;
            security__agent,status)
                cmd="security__agent__subcmd__status"
                ;;
            security__agent,version)
                cmd="security__agent__subcmd__version"
                ;;
            security__agent__subcmd__config,get)
                cmd="security__agent__subcmd__config__subcmd__get"
                ;;
            security__agent__subcmd__config,help)
                cmd="security__agent__subcmd__config__subcmd__help"
                ;;
            security__agent__subcmd__config,list-runtime)
                cmd="security__agent__subcmd__config__subcmd__list__subcmd__runtime"
                ;;
            security__agent__subcmd__config,set)
                cmd="security__agent__subcmd__config__subcmd__set"
                ;;
            security__agent__subcmd__config__subcmd__help,get)
                cmd="security__agent__subcmd__config__subcmd__help__subcmd__get"
                ;;
            security__agent__subcmd__config__subcmd__help,help)
                cmd="security__agent__subcmd__config__subcmd__help__subcmd__help"
                ;;
            security__agent__subcmd__config__subcmd__help,list-runtime)
                cmd="security__agent__subcmd__config__subcmd__help__subcmd__list__subcmd__runtime"
                ;;
            security__agent__subcmd__config__subcmd__help,set)
                cmd="security__agent__subcmd__config__subcmd__help__subcmd__set"
                ;;
            security__agent__subcmd__help,config)
                cmd="security__agent__subcmd__help__subcmd__config"
                ;;
            security__agent__subcmd__help,flare)
                cmd="security__agent__subcmd__help__subcmd__flare"
                ;;
            security__agent__subcmd__help,help)
                cmd="security__agent__subcmd__help__subcmd__help"
                ;;
            security__agent__subcmd__help,runtime)
                cmd="security__agent__subcmd__help__subcmd__runtime"
                ;;
            security__agent__subcmd__help,start)
                cmd="security__agent__subcmd__help__subcmd__start"
                ;;
            security__agent__subcmd__help,status)
                cmd="security__agent__subcmd__help__subcmd__status"
                ;;
            security__agent__subcmd__help,version)
                cmd="security__agent__subcmd__help__subcmd__version"
                ;;
            security__agent__subcmd__help__subcmd__config,get)
                cmd="security__agent__subcmd__help__subcmd__config__subcmd__get"
                ;;
            security__agent__subcmd__help__subcmd__config,list-runtime)
                cmd="security__agent__subcmd__help__subcmd__config__subcmd__list__subcmd__runtime"
                ;;
            security__agent__subcmd__help__subcmd__config,set)
                cmd="security__agent__subcmd__help__subcmd__config__subcmd__set"
                ;;
            security__agent__subcmd__help__subcmd__runtime,capture)
                cmd="security__agent__subcmd__help__subcmd__runtime__subcmd__capture"
                ;;
            security__agent__subcmd__help__subcmd__runtime,eval)
                cmd="security__agent__subcmd__help__subcmd__runtime__subcmd__eval"
                ;;
            security__agent__subcmd__help__subcmd__runtime,fields)
                cmd="security__agent__subcmd__help__subcmd__runtime__subcmd__fields"
                ;;
            security__agent__subcmd__help__subcmd__runtime,policy)
                cmd="security__agent__subcmd__help__subcmd__runtime__subcmd__policy"
                ;;
            security__agent__subcmd__help__subcmd__runtime,process-cache)
                cmd="security__agent__subcmd__help__subcmd__runtime__subcmd__process__subcmd__cache"
                ;;
            security__agent__subcmd__help__subcmd__runtime,reload)
                cmd="security__agent__subcmd__help__subcmd__runtime__subcmd__reload"
                ;;
            security__agent__subcmd__help__subcmd__runtime,self-test)
                cmd="security__agent__subcmd__help__subcmd__runtime__subcmd__self__subcmd__test"
                ;;
            security__agent__subcmd__help__subcmd__runtime__subcmd__policy,check)
                cmd="security__agent__subcmd__help__subcmd__runtime__subcmd__policy__subcmd__check"
                ;;
            security__agent__subcmd__help__subcmd__runtime__subcmd__policy,reload)
                cmd="security__agent__subcmd__help__subcmd__runtime__subcmd__policy__subcmd__reload"
                ;;
            security__agent__subcmd__help__subcmd__runtime__subcmd__policy,test)
                cmd="security__agent__subcmd__help__subcmd__runtime__subcmd__policy__subcmd__test"
                ;;
            security__agent__subcmd__help__subcmd__runtime__subcmd__process__subcmd__cache,dump)
                cmd="security__agent__subcmd__help__subcmd__runtime__subcmd__process__subcmd__cache__subcmd__dump"
                ;;
            security__agent__subcmd__runtime,capture)
                cmd="security__agent__subcmd__runtime__subcmd__capture"
                ;;
            security__agent__subcmd__runtime,eval)
                cmd="security__agent__subcmd__runtime__subcmd__eval"
                ;;
            security__agent__subcmd__runtime,fields)
                cmd="security__agent__subcmd__runtime__subcmd__fields"
                ;;
            security__agent__subcmd__runtime,help)
                cmd="security__agent__subcmd__runtime__subcmd__help"
                ;;
            security__agent__subcmd__runtime,policy)
                cmd="security__agent__subcmd__runtime__subcmd__policy"
                ;;
            security__agent__subcmd__runtime,process-cache)
                cmd="security__agent__subcmd__runtime__subcmd__process__subcmd__cache"
                ;;
            security__agent__subcmd__runtime,reload)
                cmd="security__agent__subcmd__runtime__subcmd__reload"
                ;;
            security__agent__subcmd__runtime,self-test)
                cmd="security__agent__subcmd__runtime__subcmd__self__subcmd__test"
                ;;
            security__agent__subcmd__runtime__subcmd__help,capture)
                cmd="security__agent__subcmd__runtime__subcmd__help__subcmd__capture"
                ;;
            security__agent__subcmd__runtime__subcmd__help,eval)
                cmd="security__agent__subcmd__runtime__subcmd__help__subcmd__eval"
                ;;
            security__agent__subcmd__runtime__subcmd__help,fields)
                cmd="security__agent__subcmd__runtime__subcmd__help__subcmd__fields"
                ;;
            security__agent__subcmd__runtime__subcmd__help,help)
                cmd="security__agent__subcmd__runtime__subcmd__help__subcmd__help"
                ;;
            security__agent__subcmd__runtime__subcmd__help,policy)
                cmd="security__agent__subcmd__runtime__subcmd__help__subcmd__policy"
                ;;
            security__agent__subcmd__runtime__subcmd__help,process-cache)
                cmd="security__agent__subcmd__runtime__subcmd__help__subcmd__process__subcmd__cache"
                ;;
            security__agent__subcmd__runtime__subcmd__help,reload)
                cmd="security__agent__subcmd__runtime__subcmd__help__subcmd__reload"
                ;;
            security__agent__subcmd__runtime__subcmd__help,self-test)
                cmd="security__agent__subcmd__runtime__subcmd__help__subcmd__self__subcmd__test"
                ;;
            security__agent__subcmd__runtime__subcmd__help__subcmd__policy,check)
                cmd="security__agent__subcmd__runtime__subcmd__help__subcmd__policy__subcmd__check"
                ;;
            security__agent__subcmd__runtime__subcmd__help__subcmd__policy,reload)
                cmd="security__agent__subcmd__runtime__subcmd__help__subcmd__policy__subcmd__reload"
                ;;
            security__agent__subcmd__runtime__subcmd__help__subcmd__policy,test)
                cmd="security__agent__subcmd__runtime__subcmd__help__subcmd__policy__subcmd__test"
                ;;
            security__agent__subcmd__runtime__subcmd__help__subcmd__process__subcmd__cache,dump)
                cmd="security__agent__subcmd__runtime__subcmd__help__subcmd__process__subcmd__cache__subcmd__dump"
                ;;
            security__agent__subcmd__runtime__subcmd__policy,check)
                cmd="security__agent__subcmd__runtime__subcmd__policy__subcmd__check"
                ;;
            security__agent__subcmd__runtime__subcmd__policy,help)
                cmd="security__agent__subcmd__runtime__subcmd__policy__subcmd__help"
                ;;
            security__agent__subcmd__runtime__subcmd__policy,reload)
                cmd="security__agent__subcmd__runtime__subcmd__policy__subcmd__reload"
                ;;
            security__agent__subcmd__runtime__subcmd__policy,test)
                cmd="security__agent__subcmd__runtime__subcmd__policy__subcmd__test"
                ;;
            security__agent__subcmd__runtime__subcmd__policy__subcmd__help,check)
                cmd="security__agent__subcmd__runtime__subcmd__policy__subcmd__help__subcmd__check"
                ;;
            security__agent__subcmd__runtime__subcmd__policy__subcmd__help,help)
                cmd="security__agent__subcmd__runtime__subcmd__policy__subcmd__help__subcmd__help"
                ;;
            security__agent__subcmd__runtime__subcmd__policy__subcmd__help,reload)
                cmd="security__agent__subcmd__runtime__subcmd__policy__subcmd__help__subcmd__reload"
                ;;
            security__agent__subcmd__runtime__subcmd__policy__subcmd__help,test)
                cmd="security__agent__subcmd__runtime__subcmd__policy__subcmd__help__subcmd__test"
                ;;
            security__agent__subcmd__runtime__subcmd__process__subcmd__cache,dump)
                cmd="security__agent__subcmd__runtime__subcmd__process__subcmd__cache__subcmd__dump"
                ;;
            security__agent__subcmd__runtime__subcmd__process__subcmd__cache,help)
                cmd="security__agent__subcmd__runtime__subcmd__process__subcmd__cache__subcmd__help"
                ;;
            security__agent__subcmd__runtime__subcmd__process__subcmd__cache__subcmd__help,dump)
                cmd="security__agent__subcmd__runtime__subcmd__process__subcmd__cache__subcmd__help__subcmd__dump"
                ;;
            security__agent__subcmd__runtime__subcmd__process__subcmd__cache__subcmd__help,help)
                cmd="security__agent__subcmd__runtime__subcmd__process__subcmd__cache__subcmd__help__subcmd__help"
                ;;
            *)
                ;;
        esac
    done

    case "${cmd}" in
        security__agent)
            opts="-c -h -V --cfgpath --help --version start status config flare version runtime help"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 1 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                --cfgpath)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                -c)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        security__subcmd__agent__subcmd__config)
            opts="-j -c -h --json --cfgpath --help get set list-runtime help"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 2 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                --cfgpath)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                -c)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        security__subcmd__agent__subcmd__config__subcmd__get)
            opts="-c -h --cfgpath --help"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 3 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                --cfgpath)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                -c)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        security__subcmd__agent__subcmd__config__subcmd__help)
            opts="get set list-runtime help"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 3 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        security__subcmd__agent__subcmd__config__subcmd__help__subcmd__get)
            opts=""
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 4 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        security__subcmd__agent__subcmd__config__subcmd__help__subcmd__help)
            opts=""
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 4 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        security__subcmd__agent__subcmd__config__subcmd__help__subcmd__list__subcmd__runtime)
            opts=""
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 4 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        security__subcmd__agent__subcmd__config__subcmd__help__subcmd__set)
            opts=""
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 4 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        security__subcmd__agent__subcmd__config__subcmd__list__subcmd__runtime)
            opts="-c -h --cfgpath --help"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 3 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                --cfgpath)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                -c)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        security__subcmd__agent__subcmd__config__subcmd__set)
            opts="-c -h --cfgpath --help"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 3 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                --cfgpath)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                -c)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        security__subcmd__agent__subcmd__flare)
            opts="-o -c -h --output --cfgpath --help"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 2 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                --output)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                -o)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --cfgpath)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                -c)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        security__subcmd__agent__subcmd__help)
            opts="start status config flare version runtime help"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 2 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        security__subcmd__agent__subcmd__help__subcmd__config)
            opts="get set list-runtime"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 3 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        security__subcmd__agent__subcmd__help__subcmd__config__subcmd__get)
            opts=""
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 4 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        security__subcmd__agent__subcmd__help__subcmd__config__subcmd__list__subcmd__runtime)
            opts=""
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 4 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        security__subcmd__agent__subcmd__help__subcmd__config__subcmd__set)
            opts=""
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 4 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        security__subcmd__agent__subcmd__help__subcmd__flare)
            opts=""
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 3 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        security__subcmd__agent__subcmd__help__subcmd__help)
            opts=""
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 3 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        security__subcmd__agent__subcmd__help__subcmd__runtime)
            opts="capture policy reload self-test process-cache fields eval"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 3 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        security__subcmd__agent__subcmd__help__subcmd__runtime__subcmd__capture)
            opts=""
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 4 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        security__subcmd__agent__subcmd__help__subcmd__runtime__subcmd__eval)
            opts=""
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 4 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        security__subcmd__agent__subcmd__help__subcmd__runtime__subcmd__fields)
            opts=""
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 4 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        security__subcmd__agent__subcmd__help__subcmd__runtime__subcmd__policy)
            opts="reload check test"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 4 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        security__subcmd__agent__subcmd__help__subcmd__runtime__subcmd__policy__subcmd__check)
            opts=""
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 5 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        security__subcmd__agent__subcmd__help__subcmd__runtime__subcmd__policy__subcmd__reload)
            opts=""
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 5 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        security__subcmd__agent__subcmd__help__subcmd__runtime__subcmd__policy__subcmd__test)
            opts=""
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 5 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        security__subcmd__agent__subcmd__help__subcmd__runtime__subcmd__process__subcmd__cache)
            opts="dump"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 4 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        security__subcmd__agent__subcmd__help__subcmd__runtime__subcmd__process__subcmd__cache__subcmd__dump)
            opts=""
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 5 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        security__subcmd__agent__subcmd__help__subcmd__runtime__subcmd__reload)
            opts=""
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 4 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        security__subcmd__agent__subcmd__help__subcmd__runtime__subcmd__self__subcmd__test)
            opts=""
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 4 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        security__subcmd__agent__subcmd__help__subcmd__start)
            opts=""
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 3 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        security__subcmd__agent__subcmd__help__subcmd__status)
            opts=""
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 3 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        security__subcmd__agent__subcmd__help__subcmd__version)
            opts=""
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 3 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        security__subcmd__agent__subcmd__runtime)
            opts="-c -h --cfgpath --help capture policy reload self-test process-cache fields eval help"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 2 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                --cfgpath)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                -c)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        security__subcmd__agent__subcmd__runtime__subcmd__capture)
            opts="-c -h --duration --cfgpath --help"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 3 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                --duration)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --cfgpath)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                -c)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        security__subcmd__agent__subcmd__runtime__subcmd__eval)
            opts="-c -h --cases --cfgpath --help"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 3 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                --cases)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --cfgpath)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                -c)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        security__subcmd__agent__subcmd__runtime__subcmd__fields)
            opts="-c -h --json --cfgpath --help"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 3 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                --cfgpath)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                -c)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        security__subcmd__agent__subcmd__runtime__subcmd__help)
            opts="capture policy reload self-test process-cache fields eval help"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 3 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        security__subcmd__agent__subcmd__runtime__subcmd__help__subcmd__capture)
            opts=""
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 4 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        security__subcmd__agent__subcmd__runtime__subcmd__help__subcmd__eval)
            opts=""
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 4 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        security__subcmd__agent__subcmd__runtime__subcmd__help__subcmd__fields)
            opts=""
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 4 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        security__subcmd__agent__subcmd__runtime__subcmd__help__subcmd__help)
            opts=""
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 4 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        security__subcmd__agent__subcmd__runtime__subcmd__help__subcmd__policy)
            opts="reload check test"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 4 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        security__subcmd__agent__subcmd__runtime__subcmd__help__subcmd__policy__subcmd__check)
            opts=""
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 5 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        security__subcmd__agent__subcmd__runtime__subcmd__help__subcmd__policy__subcmd__reload)
            opts=""
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 5 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        security__subcmd__agent__subcmd__runtime__subcmd__help__subcmd__policy__subcmd__test)
            opts=""
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 5 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        security__subcmd__agent__subcmd__runtime__subcmd__help__subcmd__process__subcmd__cache)
            opts="dump"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 4 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        security__subcmd__agent__subcmd__runtime__subcmd__help__subcmd__process__subcmd__cache__subcmd__dump)
            opts=""
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 5 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        security__subcmd__agent__subcmd__runtime__subcmd__help__subcmd__reload)
            opts=""
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 4 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        security__subcmd__agent__subcmd__runtime__subcmd__help__subcmd__self__subcmd__test)
            opts=""
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 4 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        security__subcmd__agent__subcmd__runtime__subcmd__policy)
            opts="-c -h --cfgpath --help reload check test help"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 3 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                --cfgpath)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                -c)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        security__subcmd__agent__subcmd__runtime__subcmd__policy__subcmd__check)
            opts="-c -h --policies-dir --json --cfgpath --help"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 4 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                --policies-dir)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --cfgpath)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                -c)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        security__subcmd__agent__subcmd__runtime__subcmd__policy__subcmd__help)
            opts="reload check test help"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 4 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        security__subcmd__agent__subcmd__runtime__subcmd__policy__subcmd__help__subcmd__check)
            opts=""
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 5 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        security__subcmd__agent__subcmd__runtime__subcmd__policy__subcmd__help__subcmd__help)
            opts=""
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 5 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        security__subcmd__agent__subcmd__runtime__subcmd__policy__subcmd__help__subcmd__reload)
            opts=""
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 5 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        security__subcmd__agent__subcmd__runtime__subcmd__policy__subcmd__help__subcmd__test)
            opts=""
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 5 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        security__subcmd__agent__subcmd__runtime__subcmd__policy__subcmd__reload)
            opts="-c -h --cfgpath --help"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 4 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                --cfgpath)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                -c)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        security__subcmd__agent__subcmd__runtime__subcmd__policy__subcmd__test)
            opts="-c -h --cfgpath --help"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 4 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                --cfgpath)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                -c)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        security__subcmd__agent__subcmd__runtime__subcmd__process__subcmd__cache)
            opts="-c -h --cfgpath --help dump help"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 3 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                --cfgpath)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                -c)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        security__subcmd__agent__subcmd__runtime__subcmd__process__subcmd__cache__subcmd__dump)
            opts="-o -c -h --with-args --format --output --cfgpath --help"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 4 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                --format)
                    COMPREPLY=($(compgen -W "dot json" -- "${cur}"))
                    return 0
                    ;;
                --output)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                -o)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --cfgpath)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                -c)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        security__subcmd__agent__subcmd__runtime__subcmd__process__subcmd__cache__subcmd__help)
            opts="dump help"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 4 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        security__subcmd__agent__subcmd__runtime__subcmd__process__subcmd__cache__subcmd__help__subcmd__dump)
            opts=""
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 5 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        security__subcmd__agent__subcmd__runtime__subcmd__process__subcmd__cache__subcmd__help__subcmd__help)
            opts=""
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 5 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        security__subcmd__agent__subcmd__runtime__subcmd__reload)
            opts="-c -h --cfgpath --help"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 3 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                --cfgpath)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                -c)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        security__subcmd__agent__subcmd__runtime__subcmd__self__subcmd__test)
            opts="-c -h --cfgpath --help"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 3 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                --cfgpath)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                -c)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        security__subcmd__agent__subcmd__start)
            opts="-p -c -h --pidfile --replay --cfgpath --help"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 2 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                --pidfile)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                -p)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --replay)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --cfgpath)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                -c)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        security__subcmd__agent__subcmd__status)
            opts="-j -c -h --json --cfgpath --help"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 2 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                --cfgpath)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                -c)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        security__subcmd__agent__subcmd__version)
            opts="-c -h --cfgpath --help"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 2 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                --cfgpath)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                -c)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
    esac
}

if [[ "${BASH_VERSINFO[0]}" -eq 4 && "${BASH_VERSINFO[1]}" -ge 4 || "${BASH_VERSINFO[0]}" -gt 4 ]]; then
    complete -F _security__agent -o nosort -o bashdefault -o default security-agent
else
    complete -F _security__agent -o bashdefault -o default security-agent
fi
