-- cancel: a join that was reserved is not stored, so its place is free again. What it cost its address and the line is
-- given back, unless its file was looked into.
-- KEYS    after the line's keys, as for `reserve`:
--         1 counter: joins of this line in this minute
--         2 zset id -> ms: unseen places of the address; may be missing
--         3 string: when the address's next join would be on time; may be missing
-- ARGV    1 job id
--         2 ms between two joins of the address; 0: nothing is given back
--         3 "1": no other request with this id was being stored before this one
local joins_key, from, on_time_key = own(1), own(2), own(3)
local id, interval, now = ARGV[1], tonumber(ARGV[2]), clock()
if ARGV[3] == '1' then
  redis.call('ZREM', reserved, id)
  -- The same form may have been stored meanwhile: its place still counts.
  if from and not redis.call('ZSCORE', unseen, id) then
    redis.call('ZREM', from, id)
  end
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
