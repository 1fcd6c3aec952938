%% The workloads of bench/workload.py that start and end processes, in Erlang, which is what
%% greenrelay's processes are modelled on; the others are in erlang_messages.erl.
-module(erlang_lives).
-export([run/3]).
-import(erlang_bench, [now_us/0, since/1, new_tally/0, add/3, wait_done/0, spawn_many/2]).

run(spawn_end, Count, Crowd) ->
    Tally = new_tally(),
    Me = self(),
    Start = now_us(),
    Counted = waves(0, Count, Crowd, Tally, fun() -> add(Tally, Crowd, Me) end),
    {Counted, since(Start), []};
run(spawn_monitor, Count, _) ->
    Start = now_us(),
    {one_by_one(0, Count), since(Start), []};
run(star, _, Crowd) ->
    Me = self(),
    Before = erlang:system_info(process_count),
    Middle = spawn(fun() ->
        Members = [spawn_link(fun wait/0) || _ <- lists:seq(1, Crowd)],
        Me ! {ready, length(Members), self()},
        wait()
    end),
    receive {ready, _, Middle} -> ok end,
    erlang:yield(),
    Waiting = erlang:system_info(process_count) - Before - 1,
    Start = now_us(),
    Middle ! {'end', 1, self()},
    until_only(Before),
    {Waiting, since(Start), []};
run(chain, _, Crowd) ->
    Before = erlang:system_info(process_count),
    First = spawn(fun wait/0),
    follow(First, Crowd - 1),
    erlang:yield(),
    Waiting = erlang:system_info(process_count) - Before,
    Start = now_us(),
    First ! {'end', 1, self()},
    until_only(Before),
    {Waiting, since(Start), []};
run(memory, _, Crowd) ->
    spawn_many(10, fun wait/0),
    erlang:yield(),
    erlang:garbage_collect(),
    Before = resident_bytes(),
    Pids = spawn_many(Crowd, fun wait/0),
    erlang:yield(),
    Grown = resident_bytes() - Before,
    Alive = length([Pid || Pid <- Pids, is_process_alive(Pid)]),
    {Alive, 0, [{memory, Grown / Crowd}]};
run(leak, Count, Crowd) ->
    Warm = monitored_waves(0, Count div 10, Crowd),
    erlang:garbage_collect(),
    Before = resident_bytes(),
    Start = now_us(),
    Counted = monitored_waves(Warm, Count, Crowd),
    Seconds = since(Start),
    erlang:garbage_collect(),
    {Counted, Seconds, [{leak, (resident_bytes() - Before) / 1024}]}.

waves(Counted, Count, _, _, _) when Counted >= Count -> Counted;
waves(Counted, Count, Crowd, Tally, Function) ->
    atomics:put(Tally, 1, 0),
    spawn_wave(Crowd, Function),
    wait_done(),
    waves(Counted + atomics:get(Tally, 1), Count, Crowd, Tally, Function).

spawn_wave(0, _) -> ok;
spawn_wave(Left, Function) -> spawn(Function), spawn_wave(Left - 1, Function).

one_by_one(Counted, Counted) -> Counted;
one_by_one(Counted, Count) ->
    {Pid, Ref} = spawn_monitor(fun() -> ok end),
    receive {'DOWN', Ref, process, Pid, normal} -> one_by_one(Counted + 1, Count) end.

monitored_waves(Counted, Count, _) when Counted >= Count -> Counted;
monitored_waves(Counted, Count, Crowd) ->
    [spawn_monitor(fun() -> ok end) || _ <- lists:seq(1, Crowd)],
    [receive {'DOWN', _, process, _, normal} -> ok end || _ <- lists:seq(1, Crowd)],
    monitored_waves(Counted + Crowd, Count, Crowd).

wait() -> receive {'end', _, _} -> exit(over) end.

follow(_, 0) -> ok;
follow(Previous, Left) ->
    Me = self(),
    Pid = spawn(fun() -> link(Previous), Me ! {linked, 1, self()}, wait() end),
    receive {linked, _, Pid} -> ok end,
    follow(Pid, Left - 1).

%% There is no finally that a signal from a link would run, so the processes left are counted.
until_only(Before) ->
    case erlang:system_info(process_count) of
        Before -> ok;
        _ -> erlang:yield(), until_only(Before)
    end.

%% The second number of statm is resident pages; the size of a page is not told, but is 4 KiB on
%% all but a few machines.
resident_bytes() ->
    {ok, File} = file:open("/proc/self/statm", [read, raw]),
    {ok, Line} = file:read(File, 200),
    ok = file:close(File),
    [_, Resident | _] = string:lexemes(Line, " "),
    list_to_integer(Resident) * 4096.
