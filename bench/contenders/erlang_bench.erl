%% Runs one workload of bench/workload.py and prints its Sample as JSON. Here is also what the
%% workloads share.
-module(erlang_bench).
-export([main/5, now_us/0, since/1, new_tally/0, add/3, wait_done/0, spawn_many/2, kill_all/1]).

main(Module, Workload, Count, Crowd, IsWarmed) ->
    case IsWarmed of
        true -> Module:run(Workload, max(1, Count div 10), max(1, Crowd div 10)), flush();
        false -> ok
    end,
    erlang:garbage_collect(),
    {Counted, Seconds, Figures} = Module:run(Workload, Count, Crowd),
    Pairs = [io_lib:format("\"~s\": ~w", [Name, Value]) || {Name, Value} <- Figures],
    io:format("{\"counted\": ~w, \"seconds\": ~w, \"figures\": {~s}}~n",
              [Counted, Seconds, lists:join(", ", Pairs)]),
    halt(0).

flush() -> receive _ -> flush() after 0 -> ok end.

now_us() -> erlang:monotonic_time(microsecond).

since(Start) -> (now_us() - Start) / 1000000.

%% Processes count in an atomic; the one that makes the goal full tells the owner.
new_tally() -> atomics:new(1, []).

add(Tally, Goal, Owner) ->
    case atomics:add_get(Tally, 1, 1) of
        Goal -> Owner ! {done, 1, self()};
        _ -> ok
    end.

wait_done() -> receive {done, _, _} -> ok end.

spawn_many(Crowd, Function) -> [spawn(Function) || _ <- lists:seq(1, Crowd)].

kill_all(Pids) -> [exit(Pid, kill) || Pid <- Pids], ok.
