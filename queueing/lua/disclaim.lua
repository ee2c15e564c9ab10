-- disclaim: a claim that somebody has looked at is over. One that its worker has made since then stays.
-- KEYS    the line's keys, see LineKeys
-- ARGV    1 worker; 2 job id
-- Return  1: it ended; 0: the worker has no claim, or another one
local claims = KEYS[6]
local claim = redis.call('HGET', claims, ARGV[1])
if not claim or string.match(claim, '^[^:]+') ~= ARGV[2] then
  return 0
end
return redis.call('HDEL', claims, ARGV[1])
