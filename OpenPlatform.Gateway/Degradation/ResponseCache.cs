using System.Collections.Concurrent;
using Microsoft.Extensions.Options;

namespace OpenPlatform.Gateway.Degradation;

/// <summary>Kept answers of all APIs, in a bounded number of bytes. Reading takes no lock.</summary>
internal sealed class ResponseCache(IOptions<CacheOptions> options)
{
    /// <summary>A resource that varies more is not worth its memory; the oldest go.</summary>
    private const int MostVariants = 64;

    private readonly ConcurrentDictionary<CacheKey, CachedAnswer[]> _answers = new();
    private readonly Lock _writing = new();

    /// <summary>In the order of their coming; who was used since is sent to the end instead of away (CLOCK).</summary>
    private readonly Queue<CachedAnswer> _queue = new();
    private long _bytes;
    private int _count;

    public long Bytes => Volatile.Read(ref _bytes);

    /// <summary>The answer that fits the request, fresh or not.</summary>
    public CachedAnswer? Find(in CacheKey key, Guid application, IHeaderDictionary request)
    {
        if (_answers.TryGetValue(key, out var variants))
        {
            foreach (var answer in variants)
            {
                if (answer.Answers(application, request))
                {
                    answer.Touched = true;
                    return answer;
                }
            }
        }

        return null;
    }

    public void Store(CachedAnswer answer)
    {
        if (answer.Size > options.Value.MaxBytes)
        {
            return;
        }

        lock (_writing)
        {
            var old = _answers.GetValueOrDefault(answer.Key) ?? [];
            var stays = old.Where(other => other.Application != answer.Application || !other.Vary.SequenceEqual(answer.Vary)).TakeLast(MostVariants - 1).ToArray();
            foreach (var gone in old.Except(stays))
            {
                Forget(gone);
            }

            _answers[answer.Key] = [answer, .. stays];
            _queue.Enqueue(answer);
            _bytes += answer.Size;
            _count++;
            MakeRoom();
        }
    }

    /// <summary>Something else than GET succeeded on the resource: what is kept of it is no longer true (RFC 9111, 4.4).</summary>
    public void Invalidate(in CacheKey key)
    {
        if (!_answers.ContainsKey(key))
        {
            return;
        }

        lock (_writing)
        {
            if (_answers.TryRemove(key, out var variants))
            {
                Array.ForEach(variants, Forget);
            }
        }
    }

    private void MakeRoom()
    {
        if (_queue.Count > 1024 + (2 * _count))
        {
            var there = _queue.Where(static answer => !answer.Removed).ToArray();
            _queue.Clear();
            Array.ForEach(there, _queue.Enqueue);
        }

        while (_bytes > options.Value.MaxBytes && _queue.TryDequeue(out var first))
        {
            if (first.Removed)
            {
                continue;
            }

            if (first.Touched)
            {
                first.Touched = false;
                _queue.Enqueue(first);
                continue;
            }

            var left = _answers[first.Key].Where(other => !ReferenceEquals(other, first)).ToArray();
            if (left.Length == 0)
            {
                _answers.TryRemove(first.Key, out _);
            }
            else
            {
                _answers[first.Key] = left;
            }

            Forget(first);
        }
    }

    private void Forget(CachedAnswer answer)
    {
        answer.Removed = true;
        _bytes -= answer.Size;
        _count--;
    }
}
