-- release: a claim that was not started, or an entry whose worker died, goes back to its place:
-- into the line when its visitor is present, into held when not.
-- KEYS    the line's keys, see LineKeys
-- ARGV    1 worker ("" = there is no claim any more); 2 job id; 3 score, or "" to take the claim's; 4 grace in ms
-- Return  "line", "held", or "" (the claim is not this worker's any more, or there is a place or another claim already)
local line, held, due, cause, grace = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local claims, version, wake, moves = KEYS[6], KEYS[7], KEYS[8], KEYS[9]
local worker, id, score = ARGV[1], ARGV[2], ARGV[3]
if worker ~= '' then
  local claim = redis.call('HGET', claims, worker)
  if not claim or string.match(claim, '^[^:]+') ~= id then
    return ''
  end
  redis.call('HDEL', claims, worker)
  if score == '' then
    score = string.match(claim, '^[^:]+:([^:]+):')
  end
end
if redis.call('ZSCORE', line, id) or redis.call('ZSCORE', held, id) then
  return ''
end
for _, claim in ipairs(redis.call('HVALS', claims)) do
  if string.match(claim, '^[^:]+') == id then
    return ''
  end
end
redis.call('INCR', version)
if redis.call('EXISTS', 'presence:' .. id) == 1 then
  redis.call('ZADD', line, score, id)
  redis.call('RPUSH', wake, id)
  redis.call('LTRIM', wake, -64, -1)
  return 'line'
end
-- The page may have said goodbye while the entry was out of the line: then its own clock has begun.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local keep, why, from = tonumber(ARGV[4]), 'lost', now
local gone = redis.call('GET', 'gone:' .. id)
if gone then
  local at, span, name = string.match(gone, '^(%d+):(%d+):(%a+)$')
  from, keep, why = tonumber(at), tonumber(span), name
end
keep = math.max(keep, tonumber(redis.call('HGET', grace, id) or 0))
redis.call('ZADD', held, score, id)
redis.call('ZADD', due, from + keep, id)
if why == 'closed' then
  redis.call('HSET', cause, id, 'closed')
end
redis.call('RPUSH', moves, string.format('%.0f:held:%s:%s', now, why, id))
redis.call('LTRIM', moves, -10000, -1)
return 'held'
