using System.Diagnostics.CodeAnalysis;
using OpenPlatform.Gateway.Snapshots;
using OpenPlatform.Gateway.State;
using OpenPlatform.ServiceDefaults.Instances;

namespace OpenPlatform.Gateway.Usage;

/// <summary>
/// Where answers are counted: one active segment, and those that are sealed and wait for the catalog. While one waits, the active
/// one goes on counting, so a catalog that is away costs space for distinct (minute, subscription, operation, status) only.
/// </summary>
internal sealed class UsageSpool : IDisposable
{
    public const string FolderName = "usage";
    public const string Extension = ".spool";
    public const string RefusedExtension = ".refused";

    private readonly Guid _epoch = Guid.NewGuid();
    private readonly string _gateway;
    private readonly TimeProvider _time;
    private readonly ILogger<UsageSpool> _logger;
    private readonly Lock _rotation = new();
    private readonly Queue<UsageSegment> _sealed = new();
    private UsageSegment _active;
    private long _sequence;
    private volatile bool _closed;

    public UsageSpool(StateDirectory state, ServiceIdentity identity, TimeProvider time, ILogger<UsageSpool> logger)
    {
        _gateway = identity.InstanceId;
        _time = time;
        _logger = logger;
        Folder = Path.Combine(state.Root, FolderName);
        Directory.CreateDirectory(Folder);
        _active = Next();
    }

    public string Folder { get; }

    /// <summary>Counts one answer. No lock, no system call, no allocation but for the first answer of its kind.</summary>
    public void Count(SubscriptionEntry subscription, OperationEntry operation, int status)
    {
        var minute = _time.GetUtcNow().UtcTicks / TimeSpan.TicksPerMinute - (DateTime.UnixEpoch.Ticks / TimeSpan.TicksPerMinute);
        var spin = default(SpinWait);
        while (!_closed)
        {
            var segment = Volatile.Read(ref _active);
            if (!segment.TryEnter())
            {
                spin.SpinOnce(); // it was just sealed: the next one is active already
                continue;
            }

            bool counted;
            try
            {
                counted = segment.TryCount(subscription, operation, status, minute);
            }
            finally
            {
                segment.Exit();
            }

            if (counted)
            {
                return;
            }

            Rotate(segment);
        }
    }

    /// <summary>Seals the active segment, if it has counted anything and none waits for the catalog.</summary>
    public void Seal()
    {
        lock (_rotation)
        {
            if (_sealed.Count == 0 && _active.HasCounts)
            {
                Rotate(_active);
            }
        }
    }

    /// <summary>The oldest segment that waits for the catalog.</summary>
    public bool TryPeekSealed([NotNullWhen(true)] out UsageSegment? segment)
    {
        lock (_rotation)
        {
            return _sealed.TryPeek(out segment);
        }
    }

    /// <summary>The catalog has it: forget it.</summary>
    public void Delivered(UsageSegment segment)
    {
        Release(segment);
        if (segment.Path is not null)
        {
            File.Delete(segment.Path);
        }
    }

    /// <summary>The catalog will never take it: keep it for people.</summary>
    public void SetAside(UsageSegment segment)
    {
        var bytes = segment.Read();
        Release(segment);
        if (segment.Path is not null)
        {
            File.WriteAllBytes(segment.Path + RefusedExtension, bytes);
            File.Delete(segment.Path);
        }
    }

    private void Release(UsageSegment segment)
    {
        lock (_rotation)
        {
            if (!ReferenceEquals(_sealed.Dequeue(), segment))
            {
                throw new InvalidOperationException("Segments are delivered in their order.");
            }
        }

        segment.Dispose();
    }

    public bool IsOwn(string path) => Path.GetFileName(path).StartsWith(_epoch.ToString("N"), StringComparison.Ordinal);

    /// <summary>Lets go of the files. What was not delivered stays for whoever finds it.</summary>
    public void Dispose()
    {
        _closed = true;
        lock (_rotation)
        {
            if (!_active.HasCounts && _active.Path is { } unused)
            {
                File.Delete(unused);
            }

            _active.Seal();
            _active.Dispose();
            while (_sealed.TryDequeue(out var segment))
            {
                segment.Dispose();
            }
        }
    }

    private void Rotate(UsageSegment full)
    {
        lock (_rotation)
        {
            if (!ReferenceEquals(_active, full))
            {
                return; // another request has done it
            }

            Volatile.Write(ref _active, Next());
            full.Seal();
            _sealed.Enqueue(full);
        }
    }

    private UsageSegment Next()
    {
        var sequence = ++_sequence;
        try
        {
            return UsageSegment.Create(Path.Combine(Folder, $"{_epoch:N}-{sequence:D8}{Extension}"), _epoch, sequence, _gateway);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // Serving goes on and so does counting; only a crash before the next delivery would lose what is counted meanwhile.
            _logger.SpoolUnusable(e);
            return UsageSegment.CreateInMemory(_epoch, sequence, _gateway);
        }
    }
}
