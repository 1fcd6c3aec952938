%% The workloads of bench/workload.py that are about messages, in Erlang. A message is
%% {Topic, Payload, Sender}.
-module(erlang_messages).
-export([run/3]).
-import(erlang_bench, [now_us/0, since/1, new_tally/0, add/3, wait_done/0, spawn_many/2,
                       kill_all/1]).

-define(EACH, 100).
-define(TIMEOUT, 5000).

run(ping_pong, Count, _) ->
    Partner = spawn(fun echo/0),
    Start = now_us(),
    Counted = ping(Partner, 0, Count),
    Seconds = since(Start),
    exit(Partner, kill),
    {Counted, Seconds, []};
run(ping_pong_timeout, Count, _) ->
    Partner = spawn(fun echo_in_time/0),
    Start = now_us(),
    Counted = ping_in_time(Partner, 0, Count),
    Seconds = since(Start),
    exit(Partner, kill),
    {Counted, Seconds, []};
run(stream, Count, Burst) ->
    Receiver = spawn(fun() -> acknowledge(Burst) end),
    Start = now_us(),
    Counted = bursts(Receiver, 0, Count, Burst),
    Seconds = since(Start),
    exit(Receiver, kill),
    {Counted, Seconds, []};
run(fan_in, Count, Crowd) ->
    Senders = spawn_many(Crowd, fun send_on_demand/0),
    Start = now_us(),
    Counted = demand(Senders, 0, Count, Crowd * ?EACH),
    Seconds = since(Start),
    kill_all(Senders),
    {Counted, Seconds, []};
run(fan_out, Count, Crowd) ->
    Me = self(),
    Tally = new_tally(),
    Receivers = spawn_many(Crowd, fun() -> count_messages(Tally, Crowd, Me) end),
    rounds(Receivers, 0, Crowd, Crowd, Tally),
    Start = now_us(),
    Counted = rounds(Receivers, 0, Count, Crowd, Tally),
    Seconds = since(Start),
    kill_all(Receivers),
    {Counted, Seconds, []};
run(call, Count, _) ->
    Server = spawn(fun serve/0),
    Start = now_us(),
    Counted = calls(Server, 0, Count),
    Seconds = since(Start),
    exit(Server, kill),
    {Counted, Seconds, []};
run(call_backlog, Count, Crowd) ->
    [self() ! {other, Number, self()} || Number <- lists:seq(1, Crowd)],
    Sample = run(call, Count, Crowd),
    {message_queue_len, Crowd} = process_info(self(), message_queue_len),
    Sample;
run(ring, Count, Crowd) ->
    Me = self(),
    First = spawn(fun() -> receive {next, Pid, _} -> pass_on(Pid, Count, Me) end end),
    Members = ring_of([First], Crowd - 1, Count, Me),
    First ! {next, hd(Members), Me},
    erlang:yield(),
    Start = now_us(),
    First ! {token, 0, Me},
    Hops = receive {token, Number, _} -> Number end,
    Seconds = since(Start),
    kill_all(Members),
    {Hops, Seconds, []};
run(selective, Count, Crowd) ->
    [self() ! {other, Number, self()} || Number <- lists:seq(1, Crowd)],
    Start = now_us(),
    Counted = receive_wanted(0, Count),
    {Counted, since(Start), []};
run(busy_pairs, Count, Crowd) ->
    Messages = counters:new(1, []),
    Players = spawn_many(Crowd * 2, fun() -> bounce(Messages) end),
    start_pairs(Players),
    receive after 50 -> ok end,
    First = counters:get(Messages, 1),
    Start = now_us(),
    Late = lists:sort([lateness() || _ <- lists:seq(1, Count)]),
    Seconds = since(Start),
    Counted = counters:get(Messages, 1) - First,
    kill_all(Players),
    {Counted, Seconds,
     [{lateness_p50, percentile(Late, 50)}, {lateness_p99, percentile(Late, 99)}]}.

echo() ->
    receive {Topic, Number, Sender} -> Sender ! {Topic, Number + 1, self()} end,
    echo().

echo_in_time() ->
    receive
        {Topic, Number, Sender} -> Sender ! {Topic, Number + 1, self()}
    after ?TIMEOUT -> exit(timeout)
    end,
    echo_in_time().

ping(_, Number, Count) when Number >= Count -> Number;
ping(Partner, Number, Count) ->
    Partner ! {ping, Number, self()},
    receive {ping, Next, _} -> ping(Partner, Next + 1, Count) end.

ping_in_time(_, Number, Count) when Number >= Count -> Number;
ping_in_time(Partner, Number, Count) ->
    Partner ! {ping, Number, self()},
    receive {ping, Next, _} -> ping_in_time(Partner, Next + 1, Count)
    after ?TIMEOUT -> exit(timeout)
    end.

acknowledge(Burst) -> acknowledge(Burst, Burst).

acknowledge(1, Burst) ->
    receive {item, Number, Sender} -> Sender ! {ack, Number + 1, self()} end,
    acknowledge(Burst, Burst);
acknowledge(Left, Burst) ->
    receive {item, _, _} -> acknowledge(Left - 1, Burst) end.

bursts(_, Counted, Count, _) when Counted >= Count -> Counted;
bursts(Receiver, Counted, Count, Burst) ->
    send_items(Receiver, 0, Burst),
    receive {ack, Arrived, _} -> bursts(Receiver, Counted + Arrived, Count, Burst) end.

send_items(_, Count, Count) -> ok;
send_items(Receiver, Number, Count) ->
    Receiver ! {item, Number, self()},
    send_items(Receiver, Number + 1, Count).

send_on_demand() ->
    receive {go, Each, Receiver} -> send_items(Receiver, 0, Each) end,
    send_on_demand().

demand(_, Counted, Count, _) when Counted >= Count -> Counted;
demand(Senders, Counted, Count, Wave) ->
    [Sender ! {go, ?EACH, self()} || Sender <- Senders],
    take_items(Wave),
    demand(Senders, Counted + Wave, Count, Wave).

take_items(0) -> ok;
take_items(Left) -> receive {item, _, _} -> take_items(Left - 1) end.

count_messages(Tally, Goal, Owner) ->
    receive {news, _, _} -> add(Tally, Goal, Owner) end,
    count_messages(Tally, Goal, Owner).

rounds(_, Counted, Count, _, _) when Counted >= Count -> Counted;
rounds(Receivers, Counted, Count, Crowd, Tally) ->
    atomics:put(Tally, 1, 0),
    [Receiver ! {news, 1, self()} || Receiver <- Receivers],
    wait_done(),
    rounds(Receivers, Counted + atomics:get(Tally, 1), Count, Crowd, Tally).

serve() ->
    receive {add, Number, {Caller, Ref}} -> Caller ! {Ref, Number + 1} end,
    serve().

%% What gen_server:call does: the monitor is the name of the reply.
calls(_, Number, Count) when Number >= Count -> Number;
calls(Server, Number, Count) ->
    Ref = monitor(process, Server),
    Server ! {add, Number, {self(), Ref}},
    receive
        {Ref, Next} -> demonitor(Ref, [flush]), calls(Server, Next, Count);
        {'DOWN', Ref, process, _, Reason} -> exit(Reason)
    after ?TIMEOUT -> exit(timeout)
    end.

%% The members, the last made first: it is the one the first made passes on to.
ring_of(Members, 0, _, _) -> Members;
ring_of([Following | _] = Members, Left, Goal, Starter) ->
    Pid = spawn(fun() -> pass_on(Following, Goal, Starter) end),
    ring_of([Pid | Members], Left - 1, Goal, Starter).

pass_on(Following, Goal, Starter) ->
    receive
        {token, Goal, _} -> Starter ! {token, Goal, self()};
        {token, Hops, _} -> Following ! {token, Hops + 1, self()}
    end,
    pass_on(Following, Goal, Starter).

receive_wanted(Counted, Count) when Counted >= Count -> Counted;
receive_wanted(Counted, Count) ->
    self() ! {wanted, Counted, self()},
    receive {wanted, Number, _} -> receive_wanted(Number + 1, Count) end.

bounce(Messages) ->
    receive {ping, Number, Sender} -> Sender ! {ping, Number + 1, self()} end,
    counters:add(Messages, 1, 1),
    bounce(Messages).

start_pairs([]) -> ok;
start_pairs([One, Other | Rest]) -> One ! {ping, 0, Other}, start_pairs(Rest).

lateness() ->
    Start = now_us(),
    receive after 1 -> (now_us() - Start - 1000) / 1000 end.

percentile(Sorted, Percent) ->
    Length = length(Sorted),
    lists:nth(min(Length, Length * Percent div 100 + 1), Sorted).
