-- reserve: a place is set aside for an entry that is about to be stored, unless the line is full. So many joins at the
-- same moment cannot all see the last place free.
-- ARGV    1 job id
--         2 the number of places that the line may have
--         3 ttl in ms of the reservation, which `place` takes away
-- Return  1, or 0 when the line is full
local now = clock()
-- ZADD is the first write, since a Redis that is full refuses it, but not after another write of the same script.
redis.call('ZADD', reserved, now + ARGV[3], ARGV[1])
redis.call('ZREMRANGEBYSCORE', reserved, '-inf', now)
local places = redis.call('ZCARD', line)
  + redis.call('ZCARD', held)
  + redis.call('ZCARD', unseen)
  + redis.call('ZCARD', reserved)
if places > tonumber(ARGV[2]) then
  redis.call('ZREM', reserved, ARGV[1])
  return 0
end
return 1
