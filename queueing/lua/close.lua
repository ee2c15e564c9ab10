-- close: the last page of this entry that a web process had is gone. Who waits is held, no work starts from now on.
-- KEYS    the line's keys, see LineKeys
-- ARGV    1 job id; 2 cause: closed | lost; 3 grace in ms; 4 ttl of the note on a running entry in ms
-- Return  "held", "noted" (claimed or running: the time is left in gone:<id>), or "was held" (nothing changed)
local line, held, due, cause, grace = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local version, moves = KEYS[7], KEYS[9]
local id = ARGV[1]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('DEL', 'presence:' .. id)
if redis.call('ZSCORE', held, id) then
  return 'was held'
end
local keep = math.max(tonumber(ARGV[3]), tonumber(redis.call('HGET', grace, id) or 0))
local score = redis.call('ZSCORE', line, id)
if not score then
  redis.call('SET', 'gone:' .. id, string.format('%.0f:%.0f:%s', now, keep, ARGV[2]), 'PX', ARGV[4])
  return 'noted'
end
redis.call('ZREM', line, id)
redis.call('ZADD', held, score, id)
redis.call('ZADD', due, now + keep, id)
if ARGV[2] == 'closed' then
  redis.call('HSET', cause, id, 'closed')
end
redis.call('RPUSH', moves, string.format('%.0f:held:%s:%s', now, ARGV[2], id))
redis.call('LTRIM', moves, -10000, -1)
redis.call('INCR', version)
return 'held'
