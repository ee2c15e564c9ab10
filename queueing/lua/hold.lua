-- hold: step through one window of the line; whose presence ran out is held from now on.
-- KEYS    the line's keys, see LineKeys
-- ARGV    1 first rank of the window; 2 size (at most 1,000); 3 grace in ms
-- Return  {seen, held}: the next window begins at rank + seen - held; seen 0 is the end of the line
local line, held, due, cause, grace = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local version, moves = KEYS[7], KEYS[9]
local row = redis.call('ZRANGE', line, ARGV[1], ARGV[1] + ARGV[2] - 1, 'WITHSCORES')
if #row == 0 then
  return { 0, 0 }
end
local names = {}
for i = 1, #row, 2 do
  names[#names + 1] = 'presence:' .. row[i]
end
local present = redis.call('MGET', unpack(names))
local ids, scores = {}, {}
for i = 1, #names do
  if not present[i] then
    ids[#ids + 1] = row[2 * i - 1]
    scores[#scores + 1] = row[2 * i]
  end
end
if #ids > 0 then
  local time = redis.call('TIME')
  local now = time[1] * 1000 + math.floor(time[2] / 1000)
  local longer = redis.call('EXISTS', grace) == 1 and redis.call('HMGET', grace, unpack(ids)) or {}
  local to_held, to_due, to_cause, to_moves = {}, {}, {}, {}
  for i, id in ipairs(ids) do
    local keep = math.max(tonumber(ARGV[3]), tonumber(longer[i] or 0))
    to_held[2 * i - 1], to_held[2 * i] = scores[i], id
    to_due[2 * i - 1], to_due[2 * i] = now + keep, id
    to_cause[2 * i - 1], to_cause[2 * i] = id, 'lost'
    to_moves[i] = string.format('%.0f:held:lost:%s', now, id)
  end
  redis.call('ZREM', line, unpack(ids))
  redis.call('ZADD', held, unpack(to_held))
  redis.call('ZADD', due, unpack(to_due))
  redis.call('HSET', cause, unpack(to_cause))
  redis.call('RPUSH', moves, unpack(to_moves))
  redis.call('LTRIM', moves, -10000, -1)
  redis.call('INCR', version)
end
return { #names, #ids }
