using System.Diagnostics.CodeAnalysis;

namespace OpenPlatform.Hosting.Orchestration;

/// <summary>One at a time: <c>using (await _one.EnterAsync(ct)) { … }</c>.</summary>
[SuppressMessage("Design", "CA1001", Justification = "A SemaphoreSlim whose wait handle nobody asks for holds nothing to dispose.")]
internal sealed class AsyncLock
{
    private readonly SemaphoreSlim _one = new(1, 1);

    public async Task<Held> EnterAsync(CancellationToken ct = default)
    {
        await _one.WaitAsync(ct);
        return new(_one);
    }

    internal readonly struct Held(SemaphoreSlim one) : IDisposable
    {
        public void Dispose() => one.Release();
    }
}
