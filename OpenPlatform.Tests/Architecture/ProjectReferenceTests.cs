using System.Xml.Linq;

namespace OpenPlatform.Tests.Architecture;

/// <summary>The project references of the solution, compared with the table in ARCHITECTURE.md.</summary>
public sealed class ProjectReferenceTests
{
    /// <summary>Rows of the table under "Projects": name, allowed project references.</summary>
    private static readonly Dictionary<string, string[]> Allowed = Repository.Table("ARCHITECTURE.md", "| Project | What lives there | May use |")
        .ToDictionary(
            static row => row[0].Trim('`'),
            static row => row[2] switch
            {
                "nothing" or "no project" => Array.Empty<string>(),
                "all" => ["*"],
                var names => [.. names.Split(',').Select(static n => "OpenPlatform." + n.Trim())],
            });

    public static TheoryData<string> Projects => [.. Repository.ProjectFiles().Select(Path.GetFileNameWithoutExtension).OfType<string>()];

    [Theory]
    [MemberData(nameof(Projects))]
    public void A_project_references_only_what_the_architecture_allows(string project)
    {
        var allowed = AllowedFor(project);
        var referenced = Load(project).Descendants("ProjectReference")
            .Select(static r => Path.GetFileNameWithoutExtension(r.Attribute("Include")!.Value.Replace('\\', '/')))
            // The AppHost's other references are resources to run, never types to use.
            .Where(name => project != "OpenPlatform.AppHost" || name == "OpenPlatform.Hosting");

        Assert.All(referenced, name => Assert.True(allowed.Contains("*") || allowed.Contains(name), $"{project} must not reference {name}."));
    }

    [Fact]
    public void Every_project_of_the_table_exists_and_the_other_way_round()
    {
        var projects = Projects.Select(static row => row.Data);
        Assert.Equal(
            Allowed.Keys.Where(static name => name != "samples/").Order(),
            projects.Where(static name => name.StartsWith("OpenPlatform.", StringComparison.Ordinal)).Order());
    }

    [Theory]
    [InlineData("OpenPlatform.Gateway", "Npgsql")]
    [InlineData("OpenPlatform.Gateway", "Dapper")]
    [InlineData("OpenPlatform.Catalog", "Yarp.ReverseProxy")]
    public void A_plane_does_not_use_the_packages_of_the_other(string project, string package) =>
        Assert.DoesNotContain(package, Load(project).Descendants("PackageReference").Select(static p => p.Attribute("Include")!.Value));

    [Fact]
    public void Contracts_uses_no_package() => Assert.Empty(Load("OpenPlatform.Contracts").Descendants("PackageReference"));

    private static string[] AllowedFor(string project) => Allowed.TryGetValue(project, out var allowed)
        ? allowed
        : Repository.IsSample(project) ? Allowed["samples/"] : throw new InvalidOperationException($"{project} is not in the table of ARCHITECTURE.md.");

    private static XDocument Load(string project) => XDocument.Load(Repository.ProjectFiles().Single(p => Path.GetFileNameWithoutExtension(p) == project));
}
