using System.Diagnostics;
using System.Runtime.CompilerServices;

namespace OpenPlatform.Tests.Fixtures;

/// <summary>Waits for a condition instead of for time.</summary>
public static class Eventually
{
    public static Task TrueAsync(Func<bool> condition, TimeSpan? within = null, [CallerArgumentExpression(nameof(condition))] string what = "") =>
        TrueAsync(() => Task.FromResult(condition()), within, what);

    public static async Task TrueAsync(Func<Task<bool>> condition, TimeSpan? within = null, [CallerArgumentExpression(nameof(condition))] string what = "")
    {
        var deadline = within ?? TimeSpan.FromSeconds(15);
        var waited = Stopwatch.StartNew();
        while (!await condition())
        {
            Assert.True(waited.Elapsed < deadline, $"Not true within {deadline.TotalSeconds} s: {what}");
            await Task.Delay(15, TestContext.Current.CancellationToken);
        }
    }
}
