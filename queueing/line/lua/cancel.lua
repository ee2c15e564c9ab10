-- cancel: a join that was reserved is not stored, so its place is free again. What it cost its address and the line is
-- given back, unless its file was looked into.
-- KEYS    after the line's keys, as for `reserve`:
--         1 counter: joins of this line in this minute
--         2 zset token -> ms: the requests that are storing this entry
--         3 zset id -> ms: unseen places of the address; may be missing
--         4 string: when the address's next join would be on time; may be missing
-- ARGV    1 job id
--         2 the token of the request
--         3 ms between two joins of the address; 0: nothing is given back
local joins_key, storing, from, on_time_key = own(1), own(2), own(3), own(4)
local id, interval, now = ARGV[1], tonumber(ARGV[3]), clock()
-- The same form may have been stored meanwhile: its place still counts.
if give_up(storing, ARGV[2], id, now) and from and not redis.call('ZSCORE', unseen, id) then
  redis.call('ZREM', from, id)
end
if interval == 0 then
  return
end
local on_time = from and tonumber(redis.call('GET', on_time_key) or 0) or 0
if on_time - interval > now then
  redis.call(
    'SET',
    on_time_key,
    string.format('%.3f', on_time - interval),
    'XX',
    'PX',
    math.ceil(on_time - interval - now)
  )
elseif on_time > 0 then
  redis.call('DEL', on_time_key)
end
if (tonumber(redis.call('GET', joins_key) or 0) or 0) > 0 then
  redis.call('DECR', joins_key)
end
