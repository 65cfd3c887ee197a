using System.Runtime.Versioning;
using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;
using OpenPlatform.Hosting;

namespace OpenPlatform.Tests.Hosting.LocalServers;

public sealed class DataFoldersTests : IDisposable
{
    private static readonly ParameterResource s_resource = new("pg", _ => "");
    private readonly TemporaryFolder _folder = new();

    [Fact]
    public void A_kept_folder_belongs_to_one_AppHost_at_a_time_and_the_error_names_the_other()
    {
        var first = Folders(temporary: false);
        var path = first.For(s_resource, keep: true);
        Assert.Equal(path, first.For(s_resource, keep: true));
        using (var second = Folders(temporary: false))
        {
            var taken = Assert.Throws<DistributedApplicationException>(() => second.For(s_resource, keep: true));
            Assert.Contains($"process {Environment.ProcessId}", taken.Message, StringComparison.Ordinal);
            Assert.Contains("OPENPLATFORM_DATA=temporary", taken.Message, StringComparison.Ordinal);
        }

        first.Dispose();
        using var third = Folders(temporary: false);
        Assert.Equal(path, third.For(s_resource, keep: true));
    }

    [Theory]
    [InlineData(false, false)]
    [InlineData(true, true)]
    public void A_temporary_folder_lies_in_the_session_folder(bool keep, bool everythingTemporary)
    {
        using var folders = Folders(everythingTemporary);
        Assert.StartsWith(Path.Combine(_folder, "session"), folders.For(s_resource, keep), StringComparison.Ordinal);
    }

    [Fact]
    public void A_data_folder_that_cannot_be_written_is_told_with_the_way_out()
    {
        File.WriteAllText(Path.Combine(_folder, "file"), "");
        using var folders = new DataFolders(new() { ApplicationName = "Shop", ApplicationId = "1" }, Path.Combine(_folder, "file"), () => _folder);
        var error = Assert.Throws<DistributedApplicationException>(() => folders.For(s_resource, keep: true));
        Assert.Contains("OPENPLATFORM_DATA", error.Message, StringComparison.Ordinal);
        Assert.Contains("'pg'", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    [UnsupportedOSPlatform("windows")]
    public void Others_may_pass_but_not_read()
    {
        using var folders = Folders(temporary: false);
        var path = folders.For(s_resource, keep: true);
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute, File.GetUnixFileMode(path));
        Assert.False(File.GetUnixFileMode(Path.GetDirectoryName(path)!).HasFlag(UnixFileMode.OtherRead));
    }

    public void Dispose() => _folder.Dispose();

    private DataFolders Folders(bool temporary) =>
        new(new() { ApplicationName = "My Shop", ApplicationId = "0123456789abcdef", TemporaryData = temporary }, Path.Combine(_folder, "data"), () => Path.Combine(_folder, "session"));
}
