-- hold: step through one window of the line; whose presence ran out is held from now on.
-- KEYS    the line's keys, see LineKeys
-- ARGV    1 first rank of the window; 2 size (at most 1,000); 3 grace in ms
-- Return  {seen, held}: the next window begins at rank + seen - held; seen 0 is the end of the line
local line, held, due, grace = KEYS[1], KEYS[2], KEYS[3], KEYS[5]
local version, moves = KEYS[7], KEYS[9]
local row = redis.call('ZRANGE', line, ARGV[1], ARGV[1] + ARGV[2] - 1)
if #row == 0 then
  return { 0, 0 }
end
local names = {}
for i, id in ipairs(row) do
  names[i] = 'presence:' .. id
end
local present = redis.call('MGET', unpack(names))
local ids = {}
for i, id in ipairs(row) do
  if not present[i] then
    ids[#ids + 1] = id
  end
end
if #ids > 0 then
  local time = redis.call('TIME')
  local now = time[1] * 1000 + math.floor(time[2] / 1000)
  local longer = redis.call('EXISTS', grace) == 1 and redis.call('HMGET', grace, unpack(ids)) or {}
  local scores = redis.call('ZMSCORE', line, unpack(ids))
  local to_held, to_due = {}, {}
  local usual = string.format('%.0f', now + ARGV[3])
  for i, id in ipairs(ids) do
    to_held[2 * i - 1], to_held[2 * i] = scores[i], id
    to_due[2 * i - 1], to_due[2 * i] = usual, id
    if longer[i] then
      to_due[2 * i - 1] = now + math.max(ARGV[3], longer[i])
    end
  end
  redis.call('ZREM', line, unpack(ids))
  redis.call('ZADD', held, unpack(to_held))
  redis.call('ZADD', due, unpack(to_due))
  redis.call('RPUSH', moves, string.format('%.0f:held:lost:', now) .. table.concat(ids, ' '))
  redis.call('LTRIM', moves, -10000, -1)
  redis.call('INCR', version)
end
return { #names, #ids }
