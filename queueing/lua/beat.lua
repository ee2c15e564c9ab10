-- beat: the pages of these entries are open; who was held is back in the very same place.
-- KEYS    the line's keys, see LineKeys
-- ARGV    1 ttl of presence in ms; 2 job ids (at most 1,000), separated by newlines: packing an argument for each takes
--         the caller as long as all the rest of a beat
-- Return  the ids that came back
local line, held, due, cause, version, wake, moves = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[7], KEYS[8], KEYS[9]
local ids, gone = {}, {}
for id in string.gmatch(ARGV[2], '[^\n]+') do
  -- SET, not PEXPIRE: a key that a flush took must come back.
  redis.call('SET', 'presence:' .. id, '1', 'PX', ARGV[1])
  ids[#ids + 1] = id
  gone[#gone + 1] = 'gone:' .. id
end
redis.call('DEL', unpack(gone))
local back = {}
if redis.call('EXISTS', held) == 1 then
  for i, score in ipairs(redis.call('ZMSCORE', held, unpack(ids))) do
    if score then
      redis.call('ZADD', line, score, ids[i])
      back[#back + 1] = ids[i]
    end
  end
end
if #back > 0 then
  local time = redis.call('TIME')
  local now = time[1] * 1000 + math.floor(time[2] / 1000)
  redis.call('ZREM', held, unpack(back))
  redis.call('ZREM', due, unpack(back))
  redis.call('HDEL', cause, unpack(back))
  redis.call('INCR', version)
  redis.call('RPUSH', wake, unpack(back))
  redis.call('LTRIM', wake, -64, -1)
  redis.call('RPUSH', moves, string.format('%.0f:back::', now) .. table.concat(back, ' '))
  redis.call('LTRIM', moves, -10000, -1)
end
return back
