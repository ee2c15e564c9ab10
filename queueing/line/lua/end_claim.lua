-- end_claim: ends the worker's claim and the entry's place. Worker and horse may both do so at a start: the second finds
-- no claim, and does not count the entry as running, which may have ended meanwhile.
-- ARGV    1 worker
--         2 job id
--         3 the timeline's text about the start; "": the entry was not started
local id = ARGV[2]
local claim = redis.call('HGET', claims, ARGV[1])
local is_mine = claim and id_of(claim) == id
redis.call('HDEL', claims, ARGV[1])
redis.call('ZREM', line, id)
redis.call('ZREM', held, id)
redis.call('ZREM', unseen, id)
redis.call('ZREM', due, id)
redis.call('HDEL', absence, id)
redis.call('SREM', foreign, id)
numbers_changed()
if is_mine and ARGV[3] ~= '' then
  local now = clock()
  redis.call('ZADD', running, now, id)
  note(now, 'started', ARGV[3], { id })
elseif is_mine then
  redis.call('ZREM', starts, claim)
end
